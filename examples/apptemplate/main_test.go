package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil"
	"github.com/altinn-go/events/testutil/pgtest"
)

// program is a running apptemplate.
type program struct {
	address string
	stop    func()
}

// start runs the program until stop, or the test's end.
func start(t *testing.T, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0", "-log-level", "error"}, args...), stdout, t.Output())
		_ = stdout.CloseWithError(io.EOF)
		done <- err
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "apptemplate: listening on ")
	if !ok {
		cancel()
		t.Fatalf("first line = %q, %v; run: %v", line, err, <-done)
	}
	stopped := false
	p := program{address: address + "/ttd/apps-test/instances"}
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(p.stop)
	return p
}

// do makes a request and returns status and body.
func (p program) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= http.StatusBadRequest && res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: %d is no problem details: %s", method, path, res.StatusCode, text)
	}
	return res.StatusCode, string(text)
}

// create makes an instance and returns its id.
func (p program) create(t *testing.T) string {
	t.Helper()
	status, body := p.do(t, http.MethodPost, "", template)
	var in models.Instance
	if err := json.Unmarshal([]byte(body), &in); err != nil || status != http.StatusCreated {
		t.Fatalf("create: %d %s", status, body)
	}
	if in.Process.CurrentTask.ElementID != "Task_1" || !strings.HasPrefix(in.ID, "50019855/") {
		t.Errorf("created %s", body)
	}
	return in.ID
}

func TestRun(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := open(t)
			sink, err := testutil.StartSink(testutil.SinkConfig{})
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			p := start(t, "-store", where, "-events-url", sink.URL())

			id := "/" + p.create(t)
			for _, step := range []struct {
				method, path, body string
				status             int
				answer             string
			}{
				{http.MethodGet, id, "", 200, `"elementId":"Task_1"`},
				{http.MethodPut, id + "/process/next", "", 200, `"elementId":"Task_2"`},
				{http.MethodPut, id + "/substatus", `{"label":"approved","description":"by hand"}`, 200, `"label":"approved"`},
				{http.MethodPut, id + "/process/next", "", 200, `"endEvent":"EndEvent_1"`},
				{http.MethodPut, id + "/process/next", "", 409, "ended"},
				{http.MethodPut, id + "/substatus", `{}`, 400, "label"},
				{http.MethodGet, id, "", 200, `"approved"`},
				{http.MethodDelete, id, "", 200, id[1:]},
				{http.MethodGet, id, "", 404, "no such instance"},
				{http.MethodPut, id + "/process/next", "", 404, "no such instance"},
				{http.MethodPost, "", `{`, 400, "JSON"},
				{http.MethodPost, "", `{"instanceOwner":{"partyId":"x"}}`, 400, "subject"},
				{http.MethodPost, "", `{"instanceOwner":{"partyId":"1","personNumber":"123"}}`, 400, "alternativesubject"},
				{http.MethodPost, "", `{}`, 400, "subject"},
			} {
				if status, body := p.do(t, step.method, step.path, step.body); status != step.status || !strings.Contains(body, step.answer) {
					t.Errorf("%s %s %s: %d %s, want %d with %s", step.method, step.path, step.body, status, body, step.status, step.answer)
				}
			}
			p.stop()
			var got []string
			for _, ev := range sink.Events() {
				got = append(got, ev.Type())
				if !strings.HasSuffix(ev.Source(), id) {
					t.Errorf("source = %s, want that of %s", ev.Source(), id)
				}
			}
			want := []string{
				models.TypeInstanceCreated, models.TypeProcessMovedTo("Task_2"),
				models.TypeSubstatusChanged, models.TypeProcessCompleted,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRun_KeepsEventsForTheNextStart(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where := open(t)
			sink, err := testutil.StartSink(testutil.SinkConfig{})
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			up := sink.Inject(testutil.Fault{Status: http.StatusServiceUnavailable})

			down := start(t, "-store", where, "-events-url", sink.URL())
			var want []string
			for range 5 {
				want = append(want, down.create(t))
			}
			begun := time.Now()
			down.stop()
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("stop took %v", took)
			}
			if n := len(sink.Events()); n != 0 {
				t.Fatalf("%d events arrived at an endpoint that is down", n)
			}

			up()
			again := start(t, "-store", where, "-events-url", sink.URL())
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for _, id := range want {
				sink.Eventually(ctx, t, testutil.Want{ResourceInstance: id})
			}
			// A client that opens a connection ahead does not fail the stop.
			host, _, _ := strings.Cut(strings.TrimPrefix(again.address, "http://"), "/")
			unused, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer unused.Close()
			again.stop()
			if n := len(sink.Events()); n != len(want) {
				t.Errorf("%d events, want %d", n, len(want))
			}
		})
	}
}

func TestRun_RefusesBadFlags(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"App":   {[]string{"-app", "ttd"}, "Name"},
		"Base":  {[]string{"-app-base-url", "https://ttd.apps.altinn.no/other/app"}, "BaseURL"},
		"URL":   {[]string{"-events-url", "platform"}, "platform"},
		"Store": {[]string{"-store", "mysql:x"}, "-store"},
		"Level": {[]string{"-log-level", "loud"}, "log-level"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := tc.args
			if !slices.Contains(args, "-store") {
				args = append(args, "-store", "sqlite:"+filepath.Join(t.TempDir(), "app.db"))
			}
			err := run(t.Context(), append(args, "-addr", "127.0.0.1:0"), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("run = %v, want an error that names %s", err, tc.want)
			}
		})
	}
}

// stores are the kinds of store; each function names a fresh one.
var stores = map[string]func(t *testing.T) string{
	"SQLite": func(t *testing.T) string {
		t.Helper()
		return "sqlite:" + filepath.Join(t.TempDir(), "app.db")
	},
	"PostgreSQL": func(t *testing.T) string {
		t.Helper()
		return pgtest.URL(t)
	},
}

func TestMain(m *testing.M) { os.Exit(pgtest.M(m).Run()) }
