package sqlite_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

func TestOpenDB(t *testing.T) {
	t.Parallel()
	t.Run("SetsPragmasOnEveryConnection", func(t *testing.T) {
		t.Parallel()
		db := openDB(t, filepath.Join(t.TempDir(), "app.db"))
		for range 3 {
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			for pragma, want := range map[string]string{
				"journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000", "foreign_keys": "1",
			} {
				var got string
				if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("PRAGMA %s = %s, %v; want %s", pragma, got, err, want)
				}
			}
		}
	})
	t.Run("TakesAnyPath", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "50% of #1? yes & no.db")
		q := newQueue(t, openDB(t, path), sqlite.Config{})
		enqueue(t, q, item("1", "k"))
		got := make(collector)
		run(t, q, got.deliver)
		got.next(t, 1)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the file has another name: %v", err)
		}
	})
	for name, c := range map[string]struct {
		path func(t *testing.T) string
		want string
	}{
		"FolderMissing": {func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "no", "app.db") }, "does not exist"},
		"InMemory":      {func(*testing.T) string { return ":memory:" }, "needs a file"},
		"Empty":         {func(*testing.T) string { return "" }, "needs a file"},
		"IsFolder":      {func(t *testing.T) string { t.Helper(); return t.TempDir() }, "unable to open"},
		"NoDatabase": {func(t *testing.T) string {
			t.Helper()
			return write(t, strings.Repeat("this is a letter, ", 1000))
		}, "not a database"},
		"Newer": {func(t *testing.T) string {
			t.Helper()
			return withMeta(t, "UPDATE altinn_outbox_meta SET value = '99' WHERE name = 'schema'")
		}, "version 99 and this program knows up to 1: update the program"},
		"NoVersion": {func(t *testing.T) string {
			t.Helper()
			return withMeta(t, "DELETE FROM altinn_outbox_meta WHERE name = 'schema'")
		}, "damaged"},
		"BadVersion": {func(t *testing.T) string {
			t.Helper()
			return withMeta(t, "UPDATE altinn_outbox_meta SET value = 'x' WHERE name = 'schema'")
		}, "damaged"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			path := c.path(t)
			before, _ := os.ReadFile(path)
			db, err := sqlite.OpenDB(path)
			if err == nil {
				_ = db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("OpenDB = %v, want an error with %q", err, c.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
				t.Error("the file was changed")
			}
		})
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withMeta is a queue's file after a statement was executed on it.
func withMeta(t *testing.T, statement string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sqlite.OpenDB(path)
	if err != nil {
		t.Fatal(err)
	}
	q, err := sqlite.New(db, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNew_RefusesTheAppsDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ dsn, want string }{
		"InMemory":    {":memory:", "needs a file"},
		"LessSafe":    {"file:DIR/app.db?_pragma=synchronous(NORMAL)", "PRAGMA synchronous = 1, want 2 (FULL)"},
		"Unopenable":  {"file:DIR/no/app.db", "unable to open"},
		"Unsafe":      {"file:DIR/app.db?_pragma=synchronous(OFF)", "PRAGMA synchronous = 0"},
		"ReadOnly":    {"file:DIR/app.db?mode=ro", "unable to open"},
		"WrongPragma": {"file:DIR/app.db?_txlock=never", "txlock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sql.Open("sqlite", strings.Replace(c.dsn, "DIR", t.TempDir(), 1))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := sqlite.New(db, sqlite.Config{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestNew_ReportsCorruption(t *testing.T) {
	t.Parallel()
	path := withMeta(t, "UPDATE altinn_outbox_meta SET value = value")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(content); i++ { // all pages but the first, which has the schema
		content[i] = 0xA5
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.OpenDB(path)
	if err == nil {
		defer db.Close()
		_, err = sqlite.New(db, sqlite.Config{})
	}
	if err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("opening a corrupt file = %v, want an error that says so", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, content) {
		t.Error("the corrupt file was changed")
	}
}
