package spool

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// crashDir names, in the environment, the state directory of a child process that is killed.
const crashDir = "SENDCTL_SPOOL_CRASH_DIR"

// TestCrashChild is no test: it is what runs in the child of TestKilled. It accepts and sends
// until it is killed, and says so: "A id" once a message is accepted, "S id" when a server
// would have taken it.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		t.Skip("the child of TestKilled only")
	}
	round, err := strconv.Atoi(os.Getenv(crashDir + "_ROUND"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{})
	if err != nil || s.Recovered().Err != nil {
		t.Fatal(err, s.Recovered().Err)
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := worker; ; n += 4 {
				in := incoming(round*100000+n, "a@b.test", "c@d.test")
				in.Claim = n%3 == 0
				a, err := s.Add(t.Context(), in)
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Printf("A %s\n", in.Message.QueueID)
				entries := []Entry{a.Entry}
				if !in.Claim {
					if entries, err = s.Claim(t.Context(), ClaimRequest{Limit: 3}); err != nil {
						t.Error(err)
						return
					}
				}
				for i := range entries {
					deliver(t, s, &entries[i])
				}
			}
		})
	}
	wg.Wait()
}

// deliver sends an entry to nobody, and says so.
func deliver(t *testing.T, s *Spool, e *Entry) {
	t.Helper()
	if body := bodyOf(t, s, &e.Message); !strings.Contains(body, "MARKER-"+strings.TrimLeft(e.Message.QueueID[1:], "0")+" ") {
		t.Errorf("the body of %s is %q", e.Message.QueueID, body)
	}
	if err := s.Intend(t.Context(), ids(*e)...); err != nil {
		t.Error(err)
	}
	var all []Settlement
	for _, r := range e.Recipients {
		o := delivered()
		switch rand.IntN(5) {
		case 0:
			o = failed(delivery.Deferred, policy.Greylisted)
		case 1:
			o = failed(delivery.Bounced, policy.RecipientRejected)
		default:
			fmt.Printf("S %s/%s\n", e.Message.QueueID, r.Address.Local)
		}
		all = append(all, Settlement{Recipient: r.ID, Outcome: o})
	}
	if err := s.Settle(t.Context(), all...); err != nil {
		t.Error(err)
	}
}

// run starts a child process, lets it work for a while after its first message, kills it, and gives what it said.
func run(t *testing.T, dir string, round int, while time.Duration) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashDir+"_ROUND="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		if len(said) == 0 {
			time.AfterFunc(while, func() { _ = cmd.Process.Kill() })
		}
		if !strings.HasPrefix(line, "A ") && !strings.HasPrefix(line, "S ") {
			t.Errorf("round %d: the child says %s", round, line)
		}
		said = append(said, line)
	}
	_ = cmd.Wait() // it was killed
	return said
}

// F1, F9: kill -9 at random moments. Nothing that was accepted is lost; a second copy only
// where that is marked; every recipient is recorded once; no body is left.
func TestKilled(t *testing.T) {
	t.Parallel()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := stateDir(t)
	accepted, sent := map[string]bool{}, map[string]int{}
	for round := range rounds {
		said := make([][]string, 2) // two at once: the one that lives on takes over from the other
		var wg sync.WaitGroup
		for i := range said {
			wg.Go(func() {
				said[i] = run(t, dir, 2*round+i+1, time.Duration(rand.IntN(60_000))*time.Microsecond)
			})
		}
		wg.Wait()
		for _, line := range slices.Concat(said...) {
			switch what, id, _ := strings.Cut(line, " "); what {
			case "A":
				accepted[id] = true
			case "S":
				sent[id]++
			}
		}
	}
	s := openTest(t, dir, Options{})
	for {
		entries := mustClaim(t, s, ClaimRequest{})
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			bodyOf(t, s, &e.Message)
			mustSettle(t, s, failed(delivery.Bounced, policy.Expired), time.Time{}, ids(e)...)
		}
	}
	doubts, records := 0, map[string]int{}
	for _, r := range recorded(t, s) {
		id := r.Message.QueueID + "/" + r.Recipient.Address.Local
		records[id]++
		doubts += r.Recipient.Doubts
		if n := sent[id]; n > 1+r.Recipient.Doubts || r.Recipient.Status == delivery.Delivered && n == 0 ||
			r.Recipient.Status != delivery.Delivered && n > r.Recipient.Doubts {
			t.Errorf("%s was sent %d times, is %s, and was in doubt %d times", id, n, r.Recipient.Status, r.Recipient.Doubts)
		}
	}
	for id := range accepted {
		for _, local := range []string{"/a", "/c"} {
			if records[id+local] != 1 {
				t.Errorf("%s%s is recorded %d times", id, local, records[id+local])
			}
		}
	}
	if n := len(queued(t, s)); n != 0 {
		t.Errorf("%d are queued still", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if found := grep(t, dir, "MARKER"); len(found) > 0 {
		t.Errorf("bodies are left in %v", found)
	}
	t.Logf("%d kills, %d messages accepted, %d recipients in doubt", 2*rounds, len(accepted), doubts)
}
