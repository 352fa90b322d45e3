package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/labstack/echo/v4"
)

// ErrUndecided means that a lifecycle route has succeeded and its answer, or a
// lookup, does not tell the event: malformed JSON, an answer of another shape,
// one that goes beyond MaxResponseBytes before it tells. Errors that are given
// to an ErrorHandler wrap it; the rest of the chain says what is missing.
var ErrUndecided = errors.New("the answer does not tell the event")

// rule says which events the success of one route means.
type rule struct {
	// tail is what the route's template ends with. A segment ":" stands for a
	// parameter of any name.
	tail string
	// body is set if the events follow from the answer's body.
	body bool
	// redirect is set if a 302 is a success too.
	redirect bool
	// events decides, after the handler has succeeded.
	events func(context.Context, *exchange) ([]event.Event, error)
}

// rules are the rules of a lifecycle, by method.
type rules struct {
	get, post, put, patch []rule
	// ends has the bytes that a template which matches one may end with.
	ends [256]bool
}

// may reports whether a route with that template can be one of the rules', at a glance:
// most differ in their last letter.
func (rs *rules) may(template string) bool {
	return template != "" && rs.ends[template[len(template)-1]]
}

// index sets ends.
func (rs *rules) index() {
	rs.ends['/'] = true
	for _, r := range slices.Concat(rs.get, rs.post, rs.put, rs.patch) {
		end := r.tail[len(r.tail)-1]
		for c := range rs.ends {
			rs.ends[c] = rs.ends[c] || end == ':' || c == int(end)
		}
	}
}

// match returns the rule about a route, or nil.
func (rs *rules) match(method, template string) *rule {
	var candidates []rule
	switch method {
	case http.MethodGet:
		candidates = rs.get
	case http.MethodPost:
		candidates = rs.post
	case http.MethodPut:
		candidates = rs.put
	case http.MethodPatch:
		candidates = rs.patch
	}
	for i := range candidates {
		if candidates[i].matches(template) {
			return &candidates[i]
		}
	}
	return nil
}

// matches reports whether template ends like the rule's, whatever is before. It
// compares backwards, because most routes differ at their end.
func (r *rule) matches(template string) bool {
	j := len(template) - 1
	if j > 0 && template[j] == '/' {
		j--
	}
	for i := len(r.tail) - 1; i >= 0; i-- {
		switch {
		case j < 0:
			return false
		case r.tail[i] == ':':
			slash := strings.LastIndexByte(template[:j+1], '/')
			if slash == j || template[slash+1] != ':' {
				return false
			}
			j = slash
		case r.tail[i] != template[j]:
			return false
		default:
			j--
		}
	}
	return true
}

func cutLastSegment(path string) (before, segment string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// succeeded reports whether a handler that answered with status has done what
// the route is for.
func (r *rule) succeeded(status int) bool {
	return 200 <= status && status < 300 || r.redirect && status == http.StatusFound
}

// exchange is what there is to say of a request, as far as it has come, and what
// rules see of it.
type exchange struct {
	life    *lifecycle
	c       echo.Context
	rule    *rule // nil if it has nothing to say
	emitted []event.Event

	header http.Header
	// body is the answer's, or what there is of it if not whole.
	body  []byte
	whole bool

	// Room for what almost every request needs, so that it is allocated with the
	// exchange.
	one      [1]event.Event
	patience patience
}

// event returns the one event that a rule has decided on.
func (x *exchange) event(ev event.Event) []event.Event {
	x.one[0] = ev
	return x.one[:]
}

// lastParams returns the values of the last n parameters of the route, which
// are those of the rule's tail. They are empty if the handler has unset them.
func (x *exchange) lastParams(n int) []string {
	values := x.c.ParamValues()
	if len(values) < n {
		return make([]string, n)
	}
	return values[len(values)-n:]
}
