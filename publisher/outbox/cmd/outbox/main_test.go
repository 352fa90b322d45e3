package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.M(m).Run()) }

const (
	person       = "01017512345"
	organisation = "897069650"
)

// sendFunc is a Sender.
type sendFunc func(outbox.Item) error

func (f sendFunc) Send(_ context.Context, item outbox.Item) error { return f(item) }

// stores make an empty store of each kind and return it as -store wants it.
var stores = map[string]func(t *testing.T) string{
	"SQLite": func(t *testing.T) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "app.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	},
	"PostgreSQL": func(t *testing.T) string {
		t.Helper()
		address := pgtest.URL(t)
		pool, err := pgxpool.New(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
			t.Fatal(err)
		}
		return address
	},
}

// eachStore runs test on a store of each kind.
func eachStore(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	for kind, newStore := range stores {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			fill(t, store)
			test(t, store)
		})
	}
}

// fill has one event delivered and two discarded.
func fill(t *testing.T, store string) {
	t.Helper()
	queue, done, err := open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	p, err := publisher.New(sendFunc(func(item outbox.Item) error {
		if item.Type == models.TypeInstanceCreated {
			return nil
		}
		return fmt.Errorf("%w: do not know /person/%s", publisher.ErrRejected, person)
	}), publisher.Config{Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	app := models.App{Org: "ttd", Name: "apps-test"}
	in := models.Instance{
		ID:            "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: person},
	}
	err = p.Publish(t.Context(), app.Created(in), app.MovedTo(in, "Task_2"), app.Completed(in))
	if err = errors.Join(err, p.Close(t.Context()), done(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// call runs a command and returns what it printed.
func call(t *testing.T, store string, args ...string) string {
	t.Helper()
	var stdout bytes.Buffer
	if err := run(t.Context(), append([]string{"-store", store}, args...), &stdout, io.Discard); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return stdout.String()
}

// number returns the number of the first event of a list in JSON.
func number(t *testing.T, list string) string {
	t.Helper()
	var r row
	if err := json.NewDecoder(strings.NewReader(list)).Decode(&r); err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	return strconv.FormatInt(r.Number, 10)
}

func TestRun(t *testing.T) {
	t.Parallel()
	eachStore(t, testCommands)
}

func testCommands(t *testing.T, store string) {
	t.Helper()
	var stats map[string]int
	if err := json.Unmarshal([]byte(call(t, store, "stats", "-json")), &stats); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"pending": 0, "sending": 0, "delivered": 1, "discarded": 2, "oldestPendingSeconds": 0}
	if diff := cmp.Diff(want, stats); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if got := call(t, store, "list"); strings.Count(got, "\n") != 3 || !strings.Contains(got, "movedTo.Task_2") || strings.Contains(got, person) {
		t.Errorf("list: want a head and two events without the number:\n%s", got)
	}
	if got := call(t, store, "-status", "delivered", "list"); strings.Count(got, models.TypeInstanceCreated) != 1 {
		t.Errorf("list -status delivered:\n%s", got)
	}

	first := number(t, call(t, store, "list", "-json"))
	if got := call(t, store, "list", "-after", first, "-limit", "1"); strings.Contains(got, "Task_2") || !strings.Contains(got, "completed") {
		t.Errorf("list -after: want the second event:\n%s", got)
	}
	shown := call(t, store, "show", first)
	if !strings.Contains(shown, "/party/50019855") || !strings.Contains(shown, `"reason": "rejected`) || strings.Contains(shown, person) {
		t.Errorf("show: want party and reason, no identity number:\n%s", shown)
	}
	if got := call(t, store, "show", first, "-unmask"); !strings.Contains(got, `"/person/`+person+`"`) {
		t.Errorf("show -unmask: want the subject:\n%s", got)
	}

	if got := call(t, store, "requeue", first, "4711"); got != "requeued 1\n" {
		t.Errorf("requeue = %q, want one", got)
	}
	if got := call(t, store, "-status", "pending", "list"); !strings.Contains(got, "movedTo.Task_2") {
		t.Errorf("list -status pending: want the requeued event:\n%s", got)
	}
	if got := call(t, store, "requeue", "all"); got != "requeued 1\n" {
		t.Errorf("requeue all = %q, want the other one", got)
	}
	if got := call(t, store, "purge", "-status", "delivered", "-older-than", "1h"); got != "purged 0\n" {
		t.Errorf("purge -older-than 1h = %q, want none", got)
	}
	if got := call(t, store, "purge", "-status", "delivered"); got != "purged 1\n" {
		t.Errorf("purge = %q, want one", got)
	}
}

func TestRun_Watch(t *testing.T) {
	t.Parallel()
	eachStore(t, testWatch)
}

func testWatch(t *testing.T, store string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	looks := 0
	stdout := writerFunc(func(line []byte) {
		if !strings.Contains(string(line), "discarded 2") {
			t.Errorf("watch printed %q", line)
		}
		if looks++; looks == 3 {
			cancel() // as Ctrl-C does
		}
	})
	if err := run(ctx, []string{"-store", store, "watch", "-interval", "1ms"}, stdout, io.Discard); err != nil || looks != 3 {
		t.Errorf("watch = %v after %d looks, want it to go on until it is told to stop", err, looks)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

func TestRun_RefusesBadCalls(t *testing.T) {
	t.Parallel()
	eachStore(t, testBadCalls)
}

func testBadCalls(t *testing.T, store string) {
	t.Helper()
	missing := "sqlite:" + filepath.Join(t.TempDir(), "missing.db")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"NoCommand":      {[]string{"-store", store}, "no command"},
		"UnknownCommand": {[]string{"-store", store, "drop"}, "drop"},
		"NoStore":        {[]string{"stats"}, "-store"},
		"MissingFile":    {[]string{"-store", missing, "stats"}, "missing.db"},
		"Status":         {[]string{"-store", store, "list", "-status", "lost"}, "lost"},
		"Limit":          {[]string{"-store", store, "list", "-limit", "0"}, "-limit"},
		"NoNumber":       {[]string{"-store", store, "requeue"}, "number"},
		"NotANumber":     {[]string{"-store", store, "show", "x"}, "x"},
		"UnknownNumber":  {[]string{"-store", store, "show", "4711"}, "4711"},
		"PurgePending":   {[]string{"-store", store, "purge", "-status", "pending"}, "pending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), tc.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("run(%v) = %v, want an error that names %q", tc.args, err, tc.want)
			}
		})
	}
	if _, err := os.Stat(strings.TrimPrefix(missing, "sqlite:")); err == nil {
		t.Error("a store that was missing has been made")
	}
}

// Numbers are masked wherever in an event they stand, also where nobody should have put
// them.
func TestPrinter_MasksOddPlaces(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := printer{out: &out}.printRecord(outbox.Record{
		Item: outbox.Item{
			ID: person, Source: person, Type: person, Endpoint: person, TraceParent: person,
			Body: []byte(`{"x` + person + `":"y","num":` + organisation + `,"list":["` + person + `"],"flag":true,"id":"` + person + `"}`),
		},
		Reason: person,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if strings.Contains(got, person) || strings.Contains(got, organisation) {
		t.Errorf("a number is shown:\n%s", got)
	}
	for _, want := range []string{`"x***********": "y"`, `"num": "*********"`, `"flag": true`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not shown:\n%s", want, got)
		}
	}
}
