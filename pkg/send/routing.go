package send

import (
	"maps"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
)

// routing is where a domain's mail goes, or the parcels that wait until that is known. Routes
// are looked up ahead of the sessions, many at once: a domain whose name servers are slow
// keeps nobody waiting but its own mail.
type routing struct {
	known   bool
	hosts   courier.Hosts
	until   time.Time // looked up anew after this
	waiting []*parcel
}

// submit puts a parcel on its lane, at once where the route is known.
func (e *engine) submit(p *parcel) {
	x := e.lanes
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closing = false
	e.under.add(len(p.tasks))
	r := x.routes[p.dest.domain]
	switch {
	case r == nil:
		x.forgetRoutes()
		r = &routing{}
		x.routes[p.dest.domain] = r
		fallthrough
	case r.known && !x.clock().Before(r.until):
		r.known = false
		r.waiting = append(r.waiting, p)
		e.workers.Go(func() { x.look(p.dest.domain, r) })
	case r.known:
		x.assign(p, r.hosts)
	default:
		r.waiting = append(r.waiting, p)
	}
}

// forgetRoutes makes room where very many domains are known: the resolver knows them still.
// Called with the lock held.
func (x *lanes) forgetRoutes() {
	const most = 10_000
	if len(x.routes) < most {
		return
	}
	maps.DeleteFunc(x.routes, func(_ string, r *routing) bool { return r.known })
}

// look finds a domain's mail hosts and puts on their lanes what waited for that. Where they
// cannot be found the domain has a lane of its own, which says why.
func (x *lanes) look(domain string, r *routing) {
	hosts := x.courier.Hosts(x.ctx, domain)
	x.mu.Lock()
	defer x.mu.Unlock()
	r.known, r.hosts, r.until = true, hosts, x.clock().Add(hosts.TTL)
	waiting := r.waiting
	r.waiting = nil
	for _, p := range waiting {
		x.assign(p, hosts)
	}
}

// assign puts a parcel on the lane of some hosts. Called with the lock held.
func (x *lanes) assign(p *parcel, hosts courier.Hosts) {
	d := p.tasks[0].Decision
	x.queue(p, hosts.Key, courier.Destination{
		Domain: p.dest.domain, Hosts: hosts.List, Requirement: d.Requirement, Offer: d.Offer, Pool: d.Pool, Again: p.dest.again,
	})
}
