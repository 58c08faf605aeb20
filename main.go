// Command sendctl sends batches of mail over the TLS that their sender's policy demands, and
// tells what became of every recipient.

// Old appliances have certificates with negative serial numbers. To encrypt to them is better
// than not to; whether they are trusted is judged after the handshake.
//
//go:debug x509negativeserial=1
package main

import (
	"os"

	"github.com/sendctl/sendctl/cmd"
)

func main() { os.Exit(cmd.Main()) }
