//go:build peers && linux

package bench

// peers are the others' ways to send, by name.
func peers() map[string]contender {
	return map[string]contender{
		relayName:      postfixRelay,
		flushName:      postfixFlush,
		nodemailerName: nodemailerPool,
		sendmailName:   postfixSendmail,
	}
}
