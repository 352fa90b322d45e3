package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// printer stands for an *altinn.Client.
type printer struct{}

func (printer) Send(_ context.Context, item outbox.Item) error {
	fmt.Println("delivered", item.Type)
	return nil
}

// The change and its event are one commit: neither comes without the other.
func ExampleQueue_PublishTx() {
	dir, err := os.MkdirTemp("", "outbox")
	if err == nil {
		err = publishInTransaction(context.Background(), filepath.Join(dir, "app.db"))
	}
	fmt.Println(err, os.RemoveAll(dir))
	// Output:
	// delivered app.instance.created
	// <nil> <nil>
}

func publishInTransaction(ctx context.Context, path string) error {
	db, err := sqlite.OpenDB(path)
	if err != nil {
		return err
	}
	defer db.Close()
	queue, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		return err
	}
	pub, err := publisher.New(printer{}, publisher.Config{Queue: queue})
	if err != nil {
		return err
	}
	err = createInstance(ctx, db, queue)
	// The publisher first: it delivers what is due. Then the queue.
	return errors.Join(err, pub.Close(ctx), queue.Close(ctx))
}

func createInstance(ctx context.Context, db *sql.DB, queue *sqlite.Queue) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // an error after the commit
	_, err = tx.ExecContext(ctx, `CREATE TABLE instances (id TEXT PRIMARY KEY);
		INSERT INTO instances VALUES ('50019855/1f0dcd2a-2e0b-4e5b-8a0c-6d7c1b7a3c11')`)
	if err != nil {
		return err
	}
	app := models.App{Org: "ttd", Name: "apps-test"}
	created := app.Created(models.Instance{
		ID:            "50019855/1f0dcd2a-2e0b-4e5b-8a0c-6d7c1b7a3c11",
		InstanceOwner: models.InstanceOwner{PartyID: "50019855"},
	})
	if err := queue.PublishTx(ctx, tx, created); err != nil {
		return err
	}
	return tx.Commit()
}
