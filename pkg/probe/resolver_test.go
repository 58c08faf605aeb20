package probe_test

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/route"
)

// signedTLSA is a resolver with the TLSA record of a line.
type signedTLSA struct {
	probe.Resolver
	set route.TLSASet
}

func (r signedTLSA) TLSA(context.Context, string, uint16) (route.TLSASet, error) { return r.set, nil }

// resolving adds a record "name. IN TLSA usage selector matching data"; none where it is empty.
func resolving(to probe.Resolver, record string) probe.Resolver {
	set := route.TLSASet{Authentic: true}
	if f := strings.Fields(record); len(f) == 7 {
		number := func(s string) uint8 {
			n, _ := strconv.ParseUint(s, 10, 8)
			return uint8(n)
		}
		data, _ := hex.DecodeString(f[6])
		set.Records = []route.TLSA{{Usage: number(f[3]), Selector: number(f[4]), MatchingType: number(f[5]), Data: data}}
	}
	return signedTLSA{to, set}
}
