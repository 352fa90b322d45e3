package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/testutil"
	"github.com/cloudevents/sdk-go/v2/event"
)

// memoryDepth is a memory queue that is filled and emptied.
func memoryDepth(ctx context.Context, _ *endpoint) (study, error) {
	template, err := encoded()
	if err != nil {
		return study{}, err
	}
	at := func(depth int) ([]reading, error) {
		const least = 100_000 // events, for a time that can be read
		items := make([]outbox.Item, depth)
		for i := range items {
			items[i] = another(template, i)
		}
		took, err := best(func() (time.Duration, error) {
			repeats := max(1, least/depth)
			runtime.GC()
			before := processTime()
			for range repeats {
				q := outbox.NewMemory(outbox.Config{Capacity: depth})
				for i := range items {
					if err := q.Enqueue(ctx, items[i]); err != nil {
						return 0, err
					}
				}
				if err := deliverAll(ctx, q, depth); err != nil {
					return 0, err
				}
			}
			return (processTime() - before) / time.Duration(repeats*depth), nil
		})
		if err != nil {
			return nil, err
		}
		queues := make([]*outbox.Memory, max(1, least/10/depth))
		before := liveHeap()
		for i := range queues {
			if queues[i], err = holding(ctx, template, depth); err != nil {
				return nil, err
			}
		}
		held := (liveHeap() - before) / float64(len(queues))
		runtime.KeepAlive(queues)
		runtime.KeepAlive(items)
		return []reading{{what: "publish and deliver", perEvent: took, memory: held, memoryOf: "heap"}}, nil
	}
	return study{at, func() error { return nil }}, nil
}

// another is an event like a template, with a body, an id and a key of its own.
func another(template outbox.Item, n int) outbox.Item {
	number := strconv.Itoa(n)
	it := template
	it.ID, it.Key = template.ID+number, template.Key+number
	it.Body = slices.Clone(template.Body)
	return it
}

// holding returns a memory queue that holds n events, which nobody else does.
func holding(ctx context.Context, template outbox.Item, n int) (*outbox.Memory, error) {
	q := outbox.NewMemory(outbox.Config{Capacity: n})
	for i := range n {
		if err := q.Enqueue(ctx, another(template, i)); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// deliverAll has a queue deliver n events, and no more than it has under way then.
func deliverAll(ctx context.Context, q outbox.Queue, n int) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	var left atomic.Int64
	left.Store(int64(n))
	return q.Run(run, func(context.Context, outbox.Item) outbox.Outcome {
		if left.Add(-1) == 0 {
			stop()
		}
		return outbox.Outcome{}
	})
}

// workers is a memory queue in front of an endpoint that takes 20 ms.
func workers(ctx context.Context, e *endpoint) (study, error) {
	at := func(n int) ([]reading, error) {
		const each = 50
		post := netHTTPBody(e.url+slowPath, tuned(n))
		body := bytes.Repeat([]byte(" "), 314)
		var held float64
		took, err := best(func() (time.Duration, error) {
			q := outbox.NewMemory(outbox.Config{Capacity: n * each, Workers: n})
			for i := range n * each {
				if err := q.Enqueue(ctx, outbox.Item{ID: newID(), Key: strconv.Itoa(i), Body: body}); err != nil {
					return 0, err
				}
			}
			run, stop := context.WithCancel(ctx)
			defer stop()
			var (
				left   atomic.Int64
				failed atomic.Pointer[error]
			)
			left.Store(int64(n * each))
			before := processTime()
			err := q.Run(run, func(context.Context, outbox.Item) outbox.Outcome {
				if err := post(body); err != nil {
					failed.Store(&err)
				}
				if left.Add(-1) == 0 {
					stop()
				}
				return outbox.Outcome{}
			})
			if e := failed.Load(); e != nil {
				err = errors.Join(err, *e)
			}
			took := (processTime() - before) / time.Duration(n*each)
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			held = float64(m.HeapAlloc + m.StackInuse)
			return took, err
		})
		return []reading{{what: "deliver, endpoint of 20 ms", perEvent: took, memory: held, memoryOf: "heap and stacks"}}, err
	}
	return study{at, func() error { return nil }}, nil
}

// eventSize is an event with data.
func eventSize(ctx context.Context, e *endpoint) (study, error) {
	d, err := newDurable()
	if err != nil {
		return study{}, err
	}
	p, err := newPublisher(e.url, nil, publisher.Config{})
	if err != nil {
		return study{}, errors.Join(err, d.close())
	}
	at := func(bytes int) ([]reading, error) {
		n := min(2000, max(100, 32<<20/bytes))
		ev := event.New()
		ev.SetType("bench.grown")
		ev.SetSource("https://example.com/bench")
		ev.SetSubject("/party/50019855")
		ev.SetExtension("resource", "urn:altinn:resource:bench")
		ev.SetExtension("resourceinstance", "1")
		if err := ev.SetData("application/json", map[string]string{"text": strings.Repeat("x", bytes)}); err != nil {
			return nil, err
		}
		socket, err := best(func() (time.Duration, error) {
			before := processTime()
			err := oneByOne(func() error { return p.Publish(ctx, ev) })(n)
			return (processTime() - before) / time.Duration(n), err
		})
		if err != nil {
			return nil, err
		}
		template, err := publisher.Encoder{}.Encode(ev, testTime, "")
		if err != nil {
			return nil, err
		}
		before := liveHeap()
		q, err := holding(ctx, template, n)
		if err != nil {
			return nil, err
		}
		held := (liveHeap() - before) / float64(n)
		runtime.KeepAlive(q)
		d.items.template = template
		file, err := best(func() (time.Duration, error) {
			before := processTime()
			if err := oneByOne(func() error { return d.queue.Enqueue(ctx, d.items.next()) })(n); err != nil {
				return 0, err
			}
			err := deliverAll(ctx, d.queue, n)
			return (processTime() - before) / time.Duration(n), err
		})
		return []reading{
			{what: "publish over a socket", perEvent: socket, linear: true, memory: held, memoryOf: "heap, queued"},
			{what: "through SQLite", perEvent: file, linear: true},
		}, err
	}
	return study{at, d.close}, nil
}

// answers200 is a webhook that takes everything.
type answers200 struct{}

func (answers200) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// subscriptions is a sink with subscriptions of which one matches.
func subscriptions(ctx context.Context, _ *endpoint) (study, error) {
	at := func(n int) ([]reading, error) {
		byApp, _, err := subscribed(ctx, n, func(i int) (string, string) { return fmt.Sprintf("app%d", i), "/party/50000000" })
		if err != nil {
			return nil, err
		}
		bySubject, held, err := subscribed(ctx, n, func(i int) (string, string) { return "app0", fmt.Sprintf("/party/%d", 50000000+i) })
		return []reading{
			{what: "post, all to one app, each another subject", perEvent: bySubject, memory: held, memoryOf: "heap"},
			{what: "post, each to another app", perEvent: byApp},
		}, err
	}
	return study{at, func() error { return nil }}, nil
}

// subscribed is what POST /app costs with n subscriptions, of which the first matches,
// and what they occupy.
func subscribed(ctx context.Context, n int, filter func(i int) (app, subject string)) (perEvent time.Duration, held float64, err error) {
	before := liveHeap()
	sink, err := testutil.StartSink(testutil.SinkConfig{Auth: testutil.AuthOff, MaxEvents: 10, WebhookTransport: answers200{}})
	if err != nil {
		return 0, 0, err
	}
	defer sink.Close()
	client := sink.Client()
	post := func(path string, body any) error {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/events/api/v1"+path, bytes.NewReader(text))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return created(resp.StatusCode)
	}
	for i := range n {
		app, subject := filter(i)
		err := post("/subscriptions", map[string]string{
			"endPoint":       fmt.Sprintf("http://localhost/%d", i),
			"resourceFilter": "urn:altinn:resource:app_ttd_" + app,
			"subjectFilter":  subject,
		})
		if err != nil {
			return 0, 0, err
		}
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for { // they are validated in the background
		subs := sink.Subscriptions()
		if !slices.ContainsFunc(subs, func(s testutil.Subscription) bool { return !s.Validated }) {
			break
		}
		<-ticker.C
	}
	held = liveHeap() - before
	const events = 500
	source := "https://ttd.apps.altinn.no/ttd/app0/instances/50000000/" + newID()
	perEvent, err = best(func() (time.Duration, error) {
		before := processTime()
		err := oneByOne(func() error {
			return post("/app", map[string]string{
				"specVersion": "1.0", "source": source, "type": "app.instance.created", "subject": "/party/50000000",
			})
		})(events)
		return (processTime() - before) / events, err
	})
	if err == nil && !slices.ContainsFunc(sink.Deliveries(), func(d testutil.Delivery) bool { return d.Event.Type() == "app.instance.created" }) {
		err = errors.New("no subscription has matched")
	}
	return perEvent, held, err
}

// turns measures what a durable queue does at its present depth.
type turns struct {
	queue  outbox.Durable
	items  *numbered
	clock  clock
	events int // of a turn
}

// publish is 64 callers, an event at a time.
func (t turns) publish(ctx context.Context) (time.Duration, error) {
	before := t.clock()
	err := crowd(func() error { return t.queue.Enqueue(ctx, t.items.next()) })(t.events)
	return (t.clock() - before) / time.Duration(t.events), err
}

// deliver takes what has waited longest, without an endpoint. The time before the
// first event is a relay's start and not counted.
func (t turns) deliver(ctx context.Context) (time.Duration, error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	var (
		done        atomic.Int64
		first, last atomic.Int64
	)
	err := t.queue.Run(run, func(context.Context, outbox.Item) outbox.Outcome {
		switch done.Add(1) {
		case 1:
			first.Store(int64(t.clock()))
		case int64(t.events):
			last.Store(int64(t.clock()))
			stop()
		}
		return outbox.Outcome{}
	})
	return time.Duration(last.Load()-first.Load()) / time.Duration(t.events), err
}

// stats asks for the depth.
func (t turns) stats(ctx context.Context) (time.Duration, error) {
	const times = 30
	before := t.clock()
	err := oneByOne(func() error {
		_, err := t.queue.Stats(ctx)
		return err
	})(times)
	return (t.clock() - before) / times, err
}

// all makes three turns of each and keeps the best.
func (t turns) all(ctx context.Context) (publish, deliver, stats time.Duration, err error) {
	var errs [3]error
	deliver = 1 << 62
	publish, errs[0] = best(func() (time.Duration, error) {
		took, err := t.publish(ctx)
		if err == nil {
			var sent time.Duration
			sent, err = t.deliver(ctx)
			deliver = min(deliver, sent)
		}
		return took, err
	})
	stats, errs[1] = best(func() (time.Duration, error) { return t.stats(ctx) })
	return publish, deliver, stats, errors.Join(errs[:]...)
}

// sqliteDepth is a SQLite queue in which events wait.
func sqliteDepth(ctx context.Context, _ *endpoint) (study, error) {
	d, err := newDurable()
	if err != nil {
		return study{}, err
	}
	t := turns{queue: d.queue, items: d.items, clock: processTime, events: 2000}
	at := func(depth int) ([]reading, error) {
		stats, err := d.queue.Stats(ctx)
		if err != nil {
			return nil, err
		}
		for left := depth - stats.Pending; left > 0; {
			batch := make([]outbox.Item, min(1000, left))
			for i := range batch {
				batch[i] = d.items.next()
			}
			if err := d.queue.Enqueue(ctx, batch...); err != nil {
				return nil, err
			}
			left -= len(batch)
		}
		publish, deliver, looked, err := t.all(ctx)
		if err != nil {
			return nil, err
		}
		rss, err := residentBytes()
		return []reading{
			{what: "publish", perEvent: publish, memory: rss, memoryOf: "RSS"},
			{what: "deliver", perEvent: deliver},
			{what: "stats, per call", perEvent: looked},
		}, err
	}
	return study{at, d.close}, nil
}
