package postgres_test

import (
	"context"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/models"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// The change and its event are one commit: neither happens without the other. The
// row is locked first, so that events of one instance come in the order of its
// changes, also when two requests change it at once.
func ExampleQueue_PublishTx() {
	ctx := context.Background()
	pool, queue := openQueue(ctx)

	app := models.App{Org: "ttd", Name: "apps-test"}
	instance := models.Instance{ID: "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT FROM instances WHERE id = $1 FOR UPDATE", instance.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE instances SET approved = true WHERE id = $1", instance.ID); err != nil {
			return err
		}
		return queue.PublishTx(ctx, tx, app.Event("app.instance.approved", instance))
	})
	if err != nil {
		log.Print(err)
	}
}

// openQueue opens what lives as long as the program.
func openQueue(ctx context.Context) (*pgxpool.Pool, *postgres.Queue) {
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	if err := postgres.Migrate(ctx, pool, postgres.Config{}); err != nil {
		log.Fatal(err)
	}
	queue, err := postgres.New(ctx, pool, postgres.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return pool, queue
}
