package testutil_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/testutil"
)

func postLifecycle(tb testing.TB, sink *testutil.Sink) {
	tb.Helper()
	mustPost(tb, sink, "/app", appBody)
	mustPost(tb, sink, "/app", strings.Replace(appBody, "app.instance.created", "app.instance.process.completed", 1))
	postEvent(tb, sink, "e1")
}

// Two runs differ in ids and times and are the same file, without the number.
func TestSink_Golden(t *testing.T) {
	t.Parallel()
	for range 2 {
		sink := openSink(t)
		postLifecycle(t, sink)
		sink.Golden(t, "lifecycle")
	}
	if *update || os.Getenv("UPDATE_GOLDEN") != "" {
		return
	}
	text, err := os.ReadFile("testdata/golden/lifecycle.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "01017512345") || !strings.Contains(string(text), "{uuid 2}") || !strings.Contains(string(text), "{time}") {
		t.Errorf("the file holds a number, or lacks what is made up:\n%s", text)
	}

	other := openSink(t)
	mustPost(t, other, "/app", appBody)
	if tb := record(t, func(tb *recordingTB) { other.Golden(tb, "lifecycle") }); !strings.Contains(tb.failure, "UPDATE_GOLDEN=1") {
		t.Errorf("other events: %q, want the way to accept them", tb.failure)
	}
	if tb := record(t, func(tb *recordingTB) { other.Golden(tb, "none") }); !strings.Contains(tb.failure, "there is no testdata") {
		t.Errorf("no file: %q", tb.failure)
	}
}

func TestSink_GoldenUpdate(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("UPDATE_GOLDEN", "1")
	sink := testutil.NewSinkWithConfig(t, testutil.SinkConfig{Auth: testutil.AuthOff, Unmask: true})
	postLifecycle(t, sink)
	sink.Golden(t, "folder/name")
	t.Setenv("UPDATE_GOLDEN", "")
	sink.Golden(t, "folder/name")
	text, err := os.ReadFile("testdata/golden/folder/name.json")
	if err != nil || !strings.Contains(string(text), "/person/01017512345") {
		t.Errorf("file with Unmask: %v\n%s", err, text)
	}
}

// A user's name is no number, and is left out of the file too.
func TestSink_GoldenMasksNames(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("UPDATE_GOLDEN", "1")
	sink := openSink(t)
	postEvent(t, sink, "e1", `"subject"`, `"alternativesubject":"/user/kari","subject"`)
	postEvent(t, sink, "e2", "/party/50015641", "/user/ola")
	sink.Golden(t, "names")
	text, err := os.ReadFile("testdata/golden/names.json")
	if err != nil || strings.Contains(string(text), "kari") || strings.Contains(string(text), "ola") || strings.Count(string(text), `"/user/***"`) != 2 {
		t.Errorf("file: %v\n%s", err, text)
	}
}

// What was recorded is there again, byte for byte.
func TestSink_RecordReplay(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postLifecycle(t, sink)
	postEvent(t, sink, "e1") // a duplicate
	postEvent(t, sink, "e2", `"subject"`, `"data":{"n":9007199254740993,"a":"<\u00e9\u2028>"},"subject"`)
	var first, second bytes.Buffer
	if err := sink.Record(&first); err != nil {
		t.Fatal(err)
	}
	again := openSink(t)
	if n, err := again.Replay(bytes.NewReader(first.Bytes())); n != 5 || err != nil {
		t.Fatalf("Replay = %d, %v; want 5", n, err)
	}
	if diff := cmp.Diff(sink.Events(), again.Events()); diff != "" {
		t.Errorf("events (-recorded +replayed):\n%s", diff)
	}
	if err := again.Record(&second); err != nil {
		t.Fatal(err)
	}
	if cut := func(b []byte) []byte { return receivedAt.ReplaceAll(b, nil) }; !bytes.Equal(cut(first.Bytes()), cut(second.Bytes())) {
		t.Errorf("recorded\n%sthen\n%s", first.Bytes(), second.Bytes())
	}
	if n := len(again.Received()); n != 5 || !again.Received()[3].Duplicate {
		t.Errorf("%d arrivals, want 5 and the fourth a duplicate", n)
	}
}

// Editors put a byte order mark before what they save.
func TestSink_ReplayByteOrderMark(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	if n, err := sink.Replay(strings.NewReader("\ufeff" + brokerBody + "\n")); n != 1 || err != nil {
		t.Errorf("Replay = %d, %v; want 1", n, err)
	}
}

var receivedAt = regexp.MustCompile(`"receivedAt":"[^"]*"`)

func TestSink_ReplayErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\n\n" + brokerBody + "\n{\"event\":7}\n": "1 replay: line 4: Cannot decode JSON element of kind 'Number' as CloudEvent",
		"{}":               "0 replay: line 1: there is neither an event nor a specversion",
		brokerBody + "\n{": "1 replay: line 2: The JSON text is malformed at byte 1. Path: $.",
		brokerBody + "\n" + strings.Repeat(" ", 5<<20): "1 replay: line 2 is longer than 4194304 bytes",
		`{"specversion":"1.0"}`:                        "0 replay: line 1: CloudEvent is missing required attributes: id, source, type (Parameter 'data')",
	} {
		n, err := openSink(t).Replay(strings.NewReader(text))
		if err == nil || fmt.Sprint(n, " ", err) != want {
			t.Errorf("%.60q: %d, %v; want %s", text, n, err, want)
		}
	}
	if _, err := openSink(t).Replay(neverRead{}); !errors.Is(err, errNeverRead) {
		t.Errorf("Replay of what cannot be read = %v", err)
	}
	sink := openSink(t)
	mustPost(t, sink, "/app", appBody)
	if err := sink.Record(failingWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Record to what cannot be written = %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestSink_RequireOrder(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	postLifecycle(t, sink)
	const instance = "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	sink.RequireOrder(t, instance, "app.instance.created", "app.instance.process.completed")
	sink.RequireOrder(t, "another")
	sink.RequireNoDuplicates(t)
	for _, types := range [][]string{{}, {"app.instance.created"}, {"app.instance.process.completed", "app.instance.created"}} {
		if tb := record(t, func(tb *recordingTB) { sink.RequireOrder(tb, instance, types...) }); !tb.ended {
			t.Errorf("RequireOrder(%q) passed", types)
		}
	}
	postEvent(t, sink, "e1")
	if tb := record(t, func(tb *recordingTB) { sink.RequireNoDuplicates(tb) }); !strings.Contains(tb.failure, "1 events arrived again:\n  no.altinn.broker.published e1") {
		t.Errorf("RequireNoDuplicates: %q", tb.failure)
	}
}
