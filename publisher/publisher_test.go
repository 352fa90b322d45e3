package publisher_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// sendFunc is a Sender.
type sendFunc func(context.Context, outbox.Item) error

func (f sendFunc) Send(ctx context.Context, item outbox.Item) error { return f(ctx, item) }

// endpoint is a Sender that remembers what it was sent.
type endpoint struct {
	mu     sync.Mutex
	items  []outbox.Item
	answer func(outbox.Item) error // nil: takes everything
}

func (e *endpoint) Send(_ context.Context, item outbox.Item) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.answer != nil {
		if err := e.answer(item); err != nil {
			return err
		}
	}
	e.items = append(e.items, item)
	return nil
}

// types lists the types that arrived.
func (e *endpoint) types() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var types []string
	for i := range e.items {
		types = append(types, e.items[i].Type)
	}
	return types
}

// journal is an Observer that writes down every call.
type journal struct {
	publisher.NopObserver
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

type spanKey struct{}

func (j *journal) Publishing(ctx context.Context, ev event.Event) (context.Context, string) {
	j.add("publishing %s", ev.Type())
	return context.WithValue(ctx, spanKey{}, "span"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
}

func (j *journal) Published(ctx context.Context, item outbox.Item, err error) {
	j.add("published %s #%d %v %v", item.Type, item.Attempt, ctx.Value(spanKey{}), err)
}

func (j *journal) Delivering(ctx context.Context, item outbox.Item) context.Context {
	j.add("delivering %s #%d", item.Type, item.Attempt)
	return context.WithValue(ctx, spanKey{}, "try")
}

func (j *journal) Delivered(ctx context.Context, item outbox.Item) {
	j.add("delivered %s %v", item.Type, ctx.Value(spanKey{}))
}

func (j *journal) Retried(_ context.Context, item outbox.Item, err error, at time.Time) {
	j.add("retried %s in %v: %v", item.Type, time.Until(at), err)
}

func (j *journal) Discarded(_ context.Context, item outbox.Item, err error) {
	j.add("discarded %s #%d: %v", item.Type, item.Attempt, err)
}

func (j *journal) got() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// testApp is the app of seed 002.
var testApp = models.App{Org: "ttd", Name: "apps-test"}

// instance returns the n-th of many instances.
func instance(n int) models.Instance {
	return models.Instance{
		ID:            fmt.Sprintf("50019855/428a4575-2c04-4400-89a3-%012x", n),
		InstanceOwner: models.InstanceOwner{PartyID: "50019855", PersonNumber: "01017512345"},
	}
}

// open returns a publisher that the test's end closes.
func open(t *testing.T, sender publisher.Sender, cfg publisher.Config) *publisher.Publisher {
	t.Helper()
	p, err := publisher.New(sender, cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) }) //nolint:usetesting // the test's context has ended
	return p
}

func TestPublisher_Publish(t *testing.T) {
	t.Parallel()
	created, moved := testApp.Created(instance(1)), testApp.MovedTo(instance(1), "Task_1")
	other := testApp.Created(instance(2))

	t.Run("SendsInOrder", func(t *testing.T) {
		t.Parallel()
		e := &endpoint{}
		p := open(t, e, publisher.Config{})
		if err := p.Publish(t.Context(), created, moved, other); err != nil {
			t.Fatalf("Publish: %v", err)
		}
		if diff := cmp.Diff([]string{created.Type(), moved.Type(), other.Type()}, e.types()); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		if got := e.items[0]; got.Attempt != 1 || got.PublishedAt.IsZero() || got.ID == "" || got.ID == e.items[1].ID {
			t.Errorf("item = %+v: want attempt 1, a time and an id of its own", got)
		}
	})
	t.Run("NothingOfNothing", func(t *testing.T) {
		t.Parallel()
		if err := open(t, &endpoint{}, publisher.Config{}).Publish(t.Context()); err != nil {
			t.Errorf("Publish() = %v", err)
		}
	})
	t.Run("RefusesAllWhenOneIsInvalid", func(t *testing.T) {
		t.Parallel()
		e := &endpoint{}
		q := outbox.NewMemory(outbox.Config{})
		for name, cfg := range map[string]publisher.Config{"Synchronous": {}, "Queued": {Queue: q}} {
			p := open(t, e, cfg)
			bad, worse := testApp.Created(models.Instance{ID: "no-number/x"}), event.New()
			worse.SetType("x")
			err := p.Publish(t.Context(), created, bad, worse)
			invalid, ok := errors.AsType[*models.ValidationError](err)
			if !ok || len(invalid.Faults) == 0 {
				t.Fatalf("%s: Publish = %v, want a *models.ValidationError", name, err)
			}
			if all, ok := err.(interface{ Unwrap() []error }); !ok || len(all.Unwrap()) != 2 {
				t.Errorf("%s: Publish = %v, want an error for each of two bad events", name, err)
			}
			if got := e.types(); len(got) != 0 {
				t.Errorf("%s: %v sent in spite of the error", name, got)
			}
			if diff := cmp.Diff(err.Error(), p.Validate(created, bad, worse).Error()); diff != "" {
				t.Errorf("%s: Validate says otherwise (-Publish +Validate):\n%s", name, diff)
			}
		}
	})
	t.Run("FailureHoldsBackTheRestOfItsKey", func(t *testing.T) {
		t.Parallel()
		e := &endpoint{answer: func(it outbox.Item) error {
			if it.Type == created.Type() && strings.HasSuffix(it.Source, "1") {
				return publisher.ErrUnavailable
			}
			return nil
		}}
		err := open(t, e, publisher.Config{}).Publish(t.Context(), created, moved, other)
		if diff := cmp.Diff([]string{other.Type()}, e.types()); diff != "" {
			t.Errorf("arrived (-want +got):\n%s", diff)
		}
		if !errors.Is(err, publisher.ErrUnavailable) || !errors.Is(err, publisher.ErrNotSent) {
			t.Errorf("Publish = %v, want ErrUnavailable and ErrNotSent", err)
		}
		if failed, ok := errors.AsType[*publisher.EventError](err); !ok || failed.Type != created.Type() || failed.ID == "" {
			t.Errorf("first error = %+v, want the created event with its id", failed)
		}
	})
	t.Run("NeverChangesTheCallersEvent", func(t *testing.T) {
		t.Parallel()
		ev := testApp.Created(instance(1))
		before := ev.Clone()
		e := &endpoint{}
		p := open(t, e, publisher.Config{Observer: &journal{}})
		for range 2 {
			if err := p.Publish(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before.String(), ev.String()); diff != "" {
			t.Errorf("event changed (-before +after):\n%s", diff)
		}
		if e.items[0].ID == e.items[1].ID {
			t.Error("the same event twice got the same id")
		}
	})
	t.Run("RetriesOnlyIfToldSo", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			e := &endpoint{answer: func(outbox.Item) error {
				if tries++; tries%5 != 0 {
					return publisher.ErrUnavailable
				}
				return nil
			}}
			if err := open(t, e, publisher.Config{}).Publish(t.Context(), created); !errors.Is(err, publisher.ErrUnavailable) || tries != 1 {
				t.Errorf("zero Config: %v after %d tries, want one", err, tries)
			}
			p := open(t, e, publisher.Config{Retry: publisher.RetryPolicy{Base: time.Minute}})
			if err := p.Publish(t.Context(), created); err != nil || tries != 5 {
				t.Errorf("with Retry: %v after %d tries, want success on the fifth", err, tries)
			}
		})
	})
	t.Run("RetryEndsWithTheContext", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{answer: func(outbox.Item) error { return publisher.ErrUnavailable }}
			j := &journal{}
			p := open(t, e, publisher.Config{Retry: publisher.RetryPolicy{MaxAge: -1}, Observer: j})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			err := p.Publish(ctx, created)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, publisher.ErrUnavailable) {
				t.Errorf("Publish = %v, want the deadline and what kept it waiting", err)
			}
			if lines := j.got(); !strings.HasPrefix(lines[len(lines)-2], "discarded") {
				t.Errorf("the Observer was not handed the event: %q", lines[len(lines)-2:])
			}
		})
	})
	t.Run("TryTimeout", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			hang := sendFunc(func(ctx context.Context, _ outbox.Item) error { <-ctx.Done(); return ctx.Err() })
			start := time.Now()
			err := open(t, hang, publisher.Config{}).Publish(t.Context(), created)
			if !errors.Is(err, publisher.ErrUnavailable) || time.Since(start) != 10*time.Second {
				t.Errorf("Publish = %v after %v, want ErrUnavailable after 10s", err, time.Since(start))
			}
		})
	})
	t.Run("PanickingSenderIsAnErrorWithoutItsText", func(t *testing.T) {
		t.Parallel()
		p := open(t, sendFunc(func(context.Context, outbox.Item) error { panic("/person/01017512345") }), publisher.Config{})
		err := p.Publish(t.Context(), created)
		if !errors.Is(err, publisher.ErrUnavailable) || strings.Contains(err.Error(), "01017512345") {
			t.Errorf("Publish = %v, want ErrUnavailable that does not quote the panic", err)
		}
	})
	t.Run("ErrorsHoldNoIdentityNumber", func(t *testing.T) {
		t.Parallel()
		const number = "01017512345"
		echoing := sendFunc(func(_ context.Context, item outbox.Item) error { return errors.New("refused " + string(item.Body)) })
		ev := testApp.Event("app.about."+number, instance(1))
		ev.SetID(number)
		var log bytes.Buffer
		p := open(t, echoing, publisher.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		err := p.Publish(t.Context(), ev)
		invalid := ev.Clone()
		invalid.SetSubject("/party/" + number)
		for what, text := range map[string]string{
			"error": fmt.Sprint(err), "fault": fmt.Sprint(p.Publish(t.Context(), invalid)), "log": log.String(),
		} {
			if text == "" || strings.Contains(text, number) {
				t.Errorf("%s holds the number: %s", what, text)
			}
		}
	})
	t.Run("QueueFull", func(t *testing.T) {
		t.Parallel()
		q := outbox.NewMemory(outbox.Config{Capacity: 1, WhenFull: outbox.Refuse})
		release := make(chan struct{})
		p := open(t, sendFunc(func(context.Context, outbox.Item) error { <-release; return nil }), publisher.Config{Queue: q})
		defer close(release)
		if err := p.Publish(t.Context(), created); err != nil {
			t.Fatal(err)
		}
		if err := p.Publish(t.Context(), other); !errors.Is(err, publisher.ErrQueueFull) {
			t.Errorf("Publish = %v, want ErrQueueFull", err)
		}
	})
}

func TestPublisher_Observer(t *testing.T) {
	t.Parallel()
	ev := testApp.Created(instance(1))
	t.Run("Synchronous", func(t *testing.T) {
		t.Parallel()
		j := &journal{}
		var sent any
		p := open(t, sendFunc(func(ctx context.Context, item outbox.Item) error {
			sent = ctx.Value(spanKey{})
			if item.TraceParent == "" {
				t.Error("the item has no trace parent")
			}
			return nil
		}), publisher.Config{Observer: j})
		if err := p.Publish(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"publishing app.instance.created",
			"delivering app.instance.created #1",
			"delivered app.instance.created try",
			"published app.instance.created #0 span <nil>",
		}
		if diff := cmp.Diff(want, j.got()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if sent != "try" {
			t.Errorf("the sender's context has span %v, want that of Delivering", sent)
		}
	})
	t.Run("Queued", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			j := &journal{}
			tries := 0
			e := &endpoint{answer: func(outbox.Item) error {
				if tries++; tries == 1 {
					return answer{publisher.ErrUnavailable, 5 * time.Second}
				}
				return publisher.ErrRejected
			}}
			p := open(t, e, publisher.Config{Queue: outbox.NewMemory(outbox.Config{}), Observer: j})
			if err := p.Publish(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := []string{
				"delivering app.instance.created #1",
				"delivering app.instance.created #2",
				"discarded app.instance.created #2: rejected by the endpoint",
				"published app.instance.created #0 span <nil>",
				"publishing app.instance.created",
				"retried app.instance.created in 5s: answer",
			}
			got := j.got()
			slices.Sort(got) // Publish and the relay run side by side
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("RefusedEventsEndToo", func(t *testing.T) {
		t.Parallel()
		j := &journal{}
		bad := event.New()
		bad.SetType("x")
		_ = open(t, &endpoint{}, publisher.Config{Observer: j}).Publish(t.Context(), ev, bad)
		got := j.got()
		if len(got) != 4 || !strings.HasPrefix(got[2], "published app.instance.created #0 span publish x: invalid") {
			t.Errorf("calls = %q: want publishing and published with the error for both", got)
		}
	})
}

func TestPublisher_Close(t *testing.T) {
	t.Parallel()
	t.Run("DoesNotWaitForCallsThatItRefuses", func(t *testing.T) {
		t.Parallel()
		p := open(t, &endpoint{}, publisher.Config{})
		ev := testApp.Created(instance(1))
		stop := make(chan struct{})
		var callers, called sync.WaitGroup
		defer callers.Wait()
		defer close(stop)
		const n = 50
		called.Add(n)
		for range n {
			callers.Go(func() {
				_ = p.Publish(t.Context(), ev)
				called.Done()
				for {
					select {
					case <-stop:
						return
					default:
						_ = p.Publish(t.Context(), ev)
					}
				}
			})
		}
		called.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("Close while callers go on = %v, want nil", err)
		}
	})
	ev := testApp.Created(instance(1))
	t.Run("DrainsTheQueue", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{answer: func(it outbox.Item) error {
				if it.Attempt < 3 {
					return publisher.ErrUnavailable
				}
				return nil
			}}
			p := open(t, e, publisher.Config{Queue: outbox.NewMemory(outbox.Config{})})
			for n := range 100 {
				if err := p.Publish(t.Context(), testApp.Created(instance(n))); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
			if n := len(e.types()); n != 100 {
				t.Errorf("%d arrived, want 100", n)
			}
			if err := p.Publish(t.Context(), ev); !errors.Is(err, publisher.ErrClosed) {
				t.Errorf("Publish after Close = %v, want ErrClosed", err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("second Close: %v", err)
			}
		})
	})
	t.Run("KeepsTheRestInTheQueue", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			hang := sendFunc(func(ctx context.Context, _ outbox.Item) error { <-ctx.Done(); return ctx.Err() })
			p := open(t, hang, publisher.Config{Queue: q, TryTimeout: time.Hour})
			if err := p.Publish(t.Context(), ev, ev); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			start := time.Now()
			if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 events") {
				t.Errorf("Close = %v, want the deadline and that 2 events are left", err)
			}
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("Close took %v, want its 5s", took)
			}
			if s, _ := q.Stats(t.Context()); s.Pending != 2 || s.Sending != 0 {
				t.Errorf("queue = %+v, want both events pending", s)
			}
			e := &endpoint{}
			if err := open(t, e, publisher.Config{Queue: q}).Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e.items[0].Attempt != 1 {
				t.Errorf("attempt = %d, want 1: a delivery that Close cut short does not count", e.items[0].Attempt)
			}
		})
	})
	t.Run("WaitsForPublish", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := open(t, sendFunc(func(context.Context, outbox.Item) error { time.Sleep(time.Second); return nil }), publisher.Config{})
			done := make(chan error, 1)
			go func() { done <- p.Publish(t.Context(), ev) }()
			synctest.Wait()
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Publish: %v", err)
				}
			default:
				t.Error("Close returned before Publish")
			}
		})
	})
	t.Run("BreaksOffAPublishThatRetries", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			e := &endpoint{answer: func(outbox.Item) error { return answer{publisher.ErrUnavailable, time.Hour} }}
			p := open(t, e, publisher.Config{Retry: publisher.RetryPolicy{MaxAge: -1}})
			done := make(chan error, 1)
			go func() { done <- p.Publish(t.Context(), ev) }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close = %v, want the deadline", err)
			}
			if err := <-done; !errors.Is(err, publisher.ErrClosed) || !errors.Is(err, publisher.ErrUnavailable) {
				t.Errorf("Publish = %v, want ErrClosed and what kept it", err)
			}
		})
	})
	t.Run("EndsWhenTheQueueIsClosedMeanwhile", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			e := &endpoint{answer: func(outbox.Item) error { return publisher.ErrUnauthorized }}
			p := open(t, e, publisher.Config{Queue: q})
			if err := p.Publish(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- p.Close(t.Context()) }()
			synctest.Wait()
			_ = q.Close(t.Context())
			start := time.Now()
			if err := <-done; !errors.Is(err, publisher.ErrClosed) || time.Since(start) > time.Second {
				t.Errorf("Close = %v after %v, want ErrClosed at once", err, time.Since(start))
			}
		})
	})
	t.Run("AfterTheQueueWasClosed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			q := outbox.NewMemory(outbox.Config{})
			p := open(t, &endpoint{}, publisher.Config{Queue: q})
			synctest.Wait()
			if err := q.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Publish(t.Context(), ev); !errors.Is(err, publisher.ErrClosed) {
				t.Errorf("Publish = %v, want ErrClosed", err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	})
}

// brokenQueue fails its first Runs.
type brokenQueue struct {
	*outbox.Memory

	failures atomic.Int32 // to come
}

func newBrokenQueue(failures int32) *brokenQueue {
	q := &brokenQueue{Memory: outbox.NewMemory(outbox.Config{})}
	q.failures.Store(failures)
	return q
}

func (q *brokenQueue) Run(ctx context.Context, deliver func(context.Context, outbox.Item) outbox.Outcome) error {
	if q.failures.Add(-1) >= 0 {
		return errors.New("store gone, last row had 01017512345")
	}
	return q.Memory.Run(ctx, deliver)
}

func TestPublisher_RelayStartsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e := &endpoint{}
		p := open(t, e, publisher.Config{
			Queue:  newBrokenQueue(3),
			Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		if err := p.Publish(t.Context(), testApp.Created(instance(1))); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(e.types()) != 1 {
			t.Error("the event did not arrive")
		}
		if n := strings.Count(log.String(), "event queue stopped"); n != 3 || strings.Contains(log.String(), "01017512345") {
			t.Errorf("log: want 3 lines without the number:\n%s", &log)
		}
	})
}

// A relay whose queue does not run is none.
func TestPublisher_RelayingAQueueThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queue := newBrokenQueue(1 << 30)
		p := open(t, &endpoint{}, publisher.Config{Queue: queue})
		for range 5 {
			synctest.Wait()
			if p.Relaying() {
				t.Fatal("relays with a queue that always fails")
			}
			time.Sleep(time.Hour)
		}
		synctest.Wait()
		queue.failures.Store(0)
		time.Sleep(time.Hour)
		synctest.Wait()
		if !p.Relaying() {
			t.Error("does not relay with a queue that is mended")
		}
	})
}

func TestPublisher_Log(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		e := &endpoint{answer: func(it outbox.Item) error {
			if it.Attempt < 4 {
				return fmt.Errorf("%w: no room for /person/01017512345", publisher.ErrUnavailable)
			}
			return nil
		}}
		p := open(t, e, publisher.Config{
			Queue:  outbox.NewMemory(outbox.Config{}),
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err := p.Publish(t.Context(), testApp.Created(instance(1))); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[1], `msg="event delivered"`) {
			t.Errorf("log: want the first failure and the end, nothing between:\n%s", &log)
		}
		for _, key := range []string{"event_id=", "event_type=app.instance.created", "attempt=4", "duration_ms=", "endpoint=/app"} {
			if !strings.Contains(lines[1], key) {
				t.Errorf("line lacks %s: %s", key, lines[1])
			}
		}
		if strings.Contains(log.String(), "01017512345") {
			t.Errorf("log holds an identity number:\n%s", &log)
		}
	})
}
