package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

// recorder notes what an Observer is told.
type recorder struct {
	publisher.NopObserver

	calls []string
}

func (r *recorder) Publishing(ctx context.Context, ev event.Event) (context.Context, string) {
	r.calls = append(r.calls, "publishing "+ev.ID())
	return ctx, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
}

func (r *recorder) Published(_ context.Context, it outbox.Item, err error) {
	result := "written"
	if err != nil {
		result = "failed"
	}
	r.calls = append(r.calls, result+" "+it.ID)
}

func begin(t *testing.T, db interface {
	Begin(context.Context) (pgx.Tx, error)
},
) pgx.Tx {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	return tx
}

func TestQueue_PublishTx_IsObserved(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	r := &recorder{}
	q := open(t, pool, postgres.Config{Observer: r})
	tx := begin(t, pool)
	if err := q.PublishTx(t.Context(), tx, newEvent("1", "k")); err != nil {
		t.Fatal(err)
	}
	faulty := newEvent("2", "k")
	faulty.SetType("")
	err := q.PublishTx(t.Context(), tx, newEvent("3", "k"), faulty)
	about, ok := errors.AsType[*publisher.EventError](err)
	if !ok || about.ID != "2" {
		t.Errorf("PublishTx = %v, want an EventError about event 2", err)
	}
	if _, ok := errors.AsType[*models.ValidationError](err); !ok {
		t.Errorf("PublishTx = %v, want a ValidationError", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"publishing 1", "written 1", "publishing 3", "publishing 2", "failed 3", "failed 2"}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("Observer (-want +got):\n%s", diff)
	}
	records, err := q.List(t.Context(), outbox.StatusPending, outbox.Page{})
	if err != nil || len(records) != 1 || records[0].TraceParent == "" {
		t.Errorf("List = %+v, %v; want event 1 with its trace parent", records, err)
	}
}

func TestQueue_PublishTx_Refuses(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	q := open(t, pool, postgres.Config{Capacity: 1})
	tx := begin(t, pool)
	if err := q.PublishTx(t.Context(), tx, newEvent("1", "k"), newEvent("2", "k")); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("PublishTx beyond the capacity = %v, want ErrFull", err)
	}
	if err := q.PublishTx(t.Context(), tx, newEvent("1", "k")); err != nil {
		t.Errorf("PublishTx within the capacity, in the same transaction: %v", err)
	}
	elsewhere := begin(t, newPool(t, pgtest.URL(t)))
	if err := open(t, pool, postgres.Config{}).PublishTx(t.Context(), elsewhere, newEvent("1", "k")); err == nil {
		t.Error("PublishTx in a transaction of another database = nil, want an error")
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.PublishTx(t.Context(), tx, newEvent("2", "k")); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("PublishTx after Close = %v, want ErrClosed", err)
	}
}
