package outbox_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/publisher/outbox"
)

// handedOut returns it as the queue hands it to deliver.
func handedOut(t *testing.T, it outbox.Item) outbox.Item {
	t.Helper()
	q := outbox.NewMemory(outbox.Config{Workers: 1})
	enqueue(t, q, it)
	ctx, stop := context.WithCancel(t.Context())
	var got outbox.Item
	err := q.Run(ctx, func(_ context.Context, it outbox.Item) outbox.Outcome {
		got = it
		stop()
		return outbox.Outcome{}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checkHandedOut(t *testing.T, it outbox.Item) {
	t.Helper()
	got := handedOut(t, it)
	it.Attempt = 1
	if diff := cmp.Diff(it, got, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Errorf("handed out (-enqueued +got):\n%s", diff)
	}
	if cap(got.Body) != len(got.Body) {
		t.Error("appending to the body would write into what the queue holds")
	}
}

func TestMemory_HandsOutWhatItTook(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 4, 19, 7, 22, 19, 438039123, time.UTC)
	for name, it := range map[string]outbox.Item{
		"Empty": {},
		"App": {
			ID: "1", Source: "https://a.no/ttd/app", Type: "app.t", Key: "https://a.no/ttd/app", Endpoint: "/app",
			Body: []byte(`{"type":"app.t","source":"https://a.no/ttd/app"}`), PublishedAt: at,
		},
		"NothingInTheBody": {
			ID: "id", Source: "source", Type: "type", Key: "key", Endpoint: "/events", TraceParent: "00-1-2-01",
			Body: []byte("body"), PublishedAt: at, Attempt: 7,
		},
		"Long": {
			ID: strings.Repeat("i", 1000), Source: strings.Repeat("s", 1000), Key: strings.Repeat("k", 1000),
			Body: []byte(strings.Repeat("b", 1<<20) + strings.Repeat("k", 1000)),
		},
		"BeforeTheEpoch": {PublishedAt: time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkHandedOut(t, it)
		})
	}
}

func FuzzMemory_HandsOutWhatItTook(f *testing.F) {
	f.Add("id", "source", "type", "key", "/app", "", []byte(`{"type":"type"}`), int64(0))
	f.Add("a long id", "a long source", "a long type", "a long source", "/events", "a long parent",
		[]byte(`{"id":"a long id","source":"a long source","type":"a long type","traceparent":"a long parent"}`), int64(1))
	f.Fuzz(func(t *testing.T, id, source, kind, key, endpoint, trace string, body []byte, nanoseconds int64) {
		checkHandedOut(t, outbox.Item{
			ID: id, Source: source, Type: kind, Key: key, Endpoint: endpoint, TraceParent: trace,
			Body: body, PublishedAt: time.Unix(0, nanoseconds),
		})
	})
}

// An event of an app costs its entry, and its array here.
func TestMemory_EnqueueAllocates(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	q := outbox.NewMemory(outbox.Config{})
	source := "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
	it := outbox.Item{
		ID: "01890a5d-ac96-774b-bcce-b302099a8057", Source: source, Key: source, Endpoint: "/app",
		Body: []byte(`{"source":"` + source + `"}`),
	}
	got := testing.AllocsPerRun(100, func() {
		if err := q.Enqueue(t.Context(), it); err != nil {
			t.Error(err)
		}
	})
	if want := 2.0; got > want { // 1 for the list of items that Enqueue is handed
		t.Errorf("Enqueue allocates %v times, want %v at most", got, want)
	}
}
