package sandbox_test

import (
	"context"
	"fmt"
	"net/netip"
	"net/textproto"
	"time"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// A row of a table of faults is a domain whose hosts misbehave.
func ExampleStart() {
	rows := []sandbox.Domain{
		// The first host takes the message and loses the reply, the second works.
		{Name: "s17.test", Hosts: []sandbox.Host{
			{Script: sandbox.UpTo(sandbox.Dot, 1, sandbox.Hang(sandbox.Close).Taken())},
			{},
		}},
		// The connection is reset when half of the message is there.
		{Name: "s16.test", Hosts: []sandbox.Host{
			{Script: sandbox.On("DATA", sandbox.Reply("354 go ahead").At(5000, sandbox.Hang(sandbox.Reset)))},
		}},
		// One recipient is refused, a second deferred.
		{Name: "s13.test", Hosts: []sandbox.Host{{Script: sandbox.First(
			sandbox.To(sandbox.Reply("550 5.1.1 no such user"), "gone@s13.test"),
			sandbox.To(sandbox.Reply("450 4.2.1 busy"), "busy@s13.test"),
		)}}},
		// Large ClientHellos meet silence, small ones work; the other host speaks TLS 1.0 alone.
		{Name: "t10.test", Hosts: []sandbox.Host{
			{TLS: sandbox.TLS{Hello: sandbox.HelloLimit(1460, sandbox.Hang(sandbox.Stall))}},
			{TLS: sandbox.TLS{Min: 0x0301, Max: 0x0301}},
		}},
	}
	s, err := sandbox.Start(sandbox.Options{Domains: rows})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// What is tested gets s.Dial, s.DNS() and s.CA(). Addresses are given in order: this is mx.s13.test.
	conn, err := s.Dial(ctx, netip.Addr{}, netip.MustParseAddrPort("192.0.2.13:25"))
	if err != nil {
		fmt.Println(err)
		return
	}
	text := textproto.NewConn(conn)
	_, _, _ = text.ReadResponse(220)
	for _, line := range []string{"EHLO client.test", "MAIL FROM:<a@clinic.test>", "RCPT TO:<gone@s13.test>"} {
		_ = text.PrintfLine("%s", line)
		_, _, err = text.ReadResponse(250)
	}
	fmt.Println(err)
	_ = text.Close()

	// Once all connections are over, everything that was sent is on record.
	if err := s.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%q\n", s.Server("mx.s13.test").Connections()[0].Commands)
	fmt.Println(len(s.Received()), "received")
	// Output:
	// 550 "5.1.1 no such user"
	// ["EHLO client.test" "MAIL FROM:<a@clinic.test>" "RCPT TO:<gone@s13.test>"]
	// 0 received
}
