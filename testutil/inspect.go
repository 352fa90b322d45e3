package testutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil/inspector"
)

const (
	maxStreams      = 64                     // pages that look at once
	streamInterval  = 200 * time.Millisecond // between two messages to a page
	streamHeartbeat = 10 * time.Second
	maxImportBytes  = 256 << 20
)

// Inspector returns the page on which a developer sees what came, what was refused
// and what was pushed, as a handler to mount anywhere:
//
//	mux.Handle("/inspector/", http.StripPrefix("/inspector", sink.Inspector()))
//
// URL and Handler serve it at "/" already. The page asks below "_sink/", so the
// handler serves the control API too, and is to be reached by developers only: on a
// connection to a loopback address it refuses requests for the names of other
// machines, and writes that come from pages of other origins anywhere.
func (s *Sink) Inspector() http.Handler {
	serve := s.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPrivate(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		serve.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), withoutAPI{}, true)))
	})
}

// withoutAPI is the key of contexts of requests to a handler that does not serve the
// Events API.
type withoutAPI struct{}

// ServeInspector returns the address of the page on which to see what came, and
// logs it, which "go test -v" shows. It opens the socket if it is not open, so not in
// a synctest bubble; the page is gone when the test ends, so stop at a breakpoint or
// wait for as long as you want to look.
func (s *Sink) ServeInspector(tb testing.TB) string {
	tb.Helper()
	if err := s.listen(); err != nil {
		tb.Fatalf("sink: %v", err)
	}
	page := s.URL() + "/"
	tb.Logf("inspector: %s", page)
	return page
}

// inspects reports whether a path is the page's, or one of those whose answers are
// not held whole in memory.
func inspects(path string) bool {
	switch path {
	case "/", controlPath + "/stream", controlPath + "/export", controlPath + "/import":
		return true
	default:
		return strings.HasPrefix(path, inspector.AssetsPath)
	}
}

// isPrivate reports whether a path is the page's or the control API's, for
// developers only.
func isPrivate(path string) bool {
	return inspects(path) || strings.HasPrefix(path, controlPath+"/")
}

// keepPrivate keeps answers of the control API out of caches and other pages.
func keepPrivate(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// inspect serves the page and its streams, and leaves the rest to next.
func (s *Sink) inspect(page, next http.Handler) http.Handler {
	streams := make(chan struct{}, maxStreams)
	direct := map[string]http.HandlerFunc{
		"GET " + controlPath + "/export":  s.inspectExport,
		"POST " + controlPath + "/import": s.inspectImport,
		"GET " + controlPath + "/stream": func(w http.ResponseWriter, r *http.Request) {
			select {
			case streams <- struct{}{}:
				defer func() { <-streams }()
				s.inspectStream(w, r)
			default:
				writeProblem(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages look already; close one.", maxStreams))
			}
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPrivate(r.URL.Path) && !isLocal(r) {
			http.Error(w, foreignHost, http.StatusMisdirectedRequest)
			return
		}
		if !inspects(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if !s.begin() {
			panic(http.ErrAbortHandler)
		}
		defer s.serving.Done()
		if strings.HasPrefix(r.URL.Path, controlPath) {
			keepPrivate(w.Header())
		}
		handler, ok := direct[r.Method+" "+r.URL.Path]
		switch {
		case crossOrigin.Check(r) != nil:
			writeProblem(w, http.StatusForbidden, foreignOrigin)
		case ok:
			handler(w, r)
		case strings.HasPrefix(r.URL.Path, controlPath):
			w.WriteHeader(http.StatusMethodNotAllowed)
		default:
			page.ServeHTTP(w, r)
		}
	})
}

// localOnly refuses requests that are not local.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r) {
			http.Error(w, foreignHost, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const foreignHost = "The sink answers to localhost and loopback addresses only."

// isLocal reports false of a request for another machine's name on a loopback
// address: it comes from a page whose name was made to resolve here.
func isLocal(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return !ok || !addr.IP.IsLoopback() || isLocalHost(r.Host)
}

func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return isLoopback(strings.Trim(host, "[]"))
}

// writeProblem answers with problem details where there is no exchange.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	x := &exchange{header: http.Header{}, problems: contentProblem}
	x.problem(status, detail)
	x.writeTo(w, len(x.answer), len(x.answer))
}

// mask returns the mask for a request, which "reveal" takes off.
func (s *Sink) mask(r *http.Request) *inspector.Mask {
	return &inspector.Mask{Off: s.cfg.Unmask || r.URL.Query().Get("reveal") == "1"}
}

// inspectExport is GET export: what the filter lets through, a line each, in order
// of arrival, as Record writes it; masked unless reveal=1.
func (s *Sink) inspectExport(w http.ResponseWriter, r *http.Request) {
	filter, err := parseArrivalFilter(r.URL.Query())
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	mask := s.mask(r)
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="events.ndjson"`)
	enc := json.NewEncoder(w) // a line each
	enc.SetEscapeHTML(false)  // which would change data
	arrivals, _ := s.store.arrivals(0)
	apart := maskedIDs{}
	for _, a := range arrivals {
		if a.accepted == nil || !filter.matches(a) {
			continue
		}
		ev := maskSubjects(a.Event, mask)
		if !mask.Off {
			ev.SetID(apart.id(a.accepted.identity, mask))
		}
		err := enc.Encode(recordLine{
			Event: mask.JSON(encodeCloudEvent(ev)), Endpoint: a.Endpoint, ReceivedAt: a.ReceivedAt.UTC(),
		})
		if err != nil {
			panic(http.ErrAbortHandler) // breaks the file off, so that it is not taken for whole
		}
	}
}

// maskedIDs numbers events that only their masks make the same one, so that an
// import does not take them for duplicates.
type maskedIDs map[identity]map[identity]int

func (m maskedIDs) id(of identity, mask *inspector.Mask) string {
	masked := identity{mask.Text(of.id), mask.Text(of.source)}
	alike := m[masked]
	if alike == nil {
		alike = map[identity]int{}
		m[masked] = alike
	}
	if alike[of] == 0 {
		alike[of] = len(alike) + 1
	}
	if n := alike[of]; n > 1 {
		return masked.id + "~" + strconv.Itoa(n)
	}
	return masked.id
}

// inspectImport is POST import: Replay of the body.
func (s *Sink) inspectImport(w http.ResponseWriter, r *http.Request) {
	taken, err := s.Replay(http.MaxBytesReader(w, r.Body, maxImportBytes)) //nolint:contextcheck // pushes are the sink's and outlive the request
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		writeProblem(w, status, fmt.Sprintf("%s. Events taken before: %d.",
			strings.TrimSuffix(models.Redact(err.Error()), "."), taken))
		return
	}
	x := &exchange{header: http.Header{}}
	x.json(http.StatusOK, contentJSON, map[string]int{"taken": taken})
	x.writeTo(w, len(x.answer), len(x.answer))
}
