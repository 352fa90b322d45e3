package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/testutil"
)

// received is a line of the program's.
type received struct {
	N     int    `json:"n"`
	Type  string `json:"type"`
	About string `json:"about"`
}

// start runs the program and returns its lines. stop ends it.
func start(t *testing.T, args ...string) (lines *bufio.Scanner, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, args, stdout, t.Output())
		_ = stdout.Close()
		done <- err
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	return bufio.NewScanner(out), stop
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Each event is printed once, over a restart in which one came that could not be
// delivered.
func TestRun(t *testing.T) {
	t.Parallel()
	sink, err := testutil.StartSink(testutil.SinkConfig{RetryScale: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	pub := sink.Publisher(t)
	created := func(n int) {
		instance := models.Instance{ID: fmt.Sprintf("1337/428a4575-2c04-4400-89a3-%012d", n), InstanceOwner: models.InstanceOwner{PartyID: "1337"}}
		if err := pub.Publish(t.Context(), models.App{Org: "ttd", Name: "apps-test"}.Created(instance)); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-addr", freePort(t), "-events-url", sink.URL(), "-store", filepath.Join(t.TempDir(), "subscriber.db")}
	next := func(lines *bufio.Scanner, n int) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no line %d: %v", n, lines.Err())
		}
		var got received
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if want := (received{n, models.TypeInstanceCreated, fmt.Sprintf("1337/428a4575-2c04-4400-89a3-%012d", n)}); got != want {
			t.Errorf("printed %+v, want %+v", got, want)
		}
	}
	validated := func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); len(sink.Subscriptions()) == 0 || !sink.Subscriptions()[0].Validated; {
			if time.Now().After(deadline) {
				t.Fatal("never validated")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	lines, stop := start(t, args...)
	validated()
	created(1)
	next(lines, 1)
	stop()
	created(2) // nobody is there
	lines, stop = start(t, args...)
	next(lines, 2)
	for _, d := range sink.Deliveries() { // the first again, which is not printed
		if !d.Validation && d.Delivered() && strings.HasSuffix(d.Event.Source(), "1") {
			if err := sink.Redeliver(d.Subscription, d.Event.ID()); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	created(3)
	next(lines, 3)
	unused, err := new(net.Dialer).DialContext(t.Context(), "tcp", args[1])
	if err != nil {
		t.Fatal(err)
	}
	defer unused.Close() // a client that opens a connection ahead does not fail the stop
	stop()
	if n := len(sink.Subscriptions()); n != 1 {
		t.Errorf("%d subscriptions, want the one", n)
	}
}
