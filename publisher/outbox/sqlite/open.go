package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver of OpenDB
)

// busyTimeout is how long a connection waits for another one's transaction.
const busyTimeout = "10000" // milliseconds

// OpenDB opens the SQLite file at path for the app's own tables and a Queue, and
// creates it if there is none. Its connections have WAL, synchronous=FULL, foreign
// keys on, wait up to 10 s for each other, and begin every transaction as a
// writer, so that it cannot fail half way because another one wrote first.
//
// The error says what is wrong with path: its folder is missing, it is no
// database, it is corrupt, or its queue is of a newer version of this library. A
// file is never recreated.
func OpenDB(path string) (*sql.DB, error) {
	db, err := openDB(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func openDB(path string) (*sql.DB, error) {
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errInMemory
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("folder %s does not exist", filepath.Dir(path))
	}
	db, err := sql.Open("sqlite", fileURI(path)+"?_pragma=busy_timeout("+busyTimeout+
		")&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if _, err := schemaVersion(context.Background(), db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

var errInMemory = errors.New("the queue needs a file: a database in memory does not outlive its process")

// fileURI is path as SQLite's URI file names want it.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// connector opens connections to one file with the driver that the app uses: two
// copies of SQLite in one process would break each other's locks.
type connector struct {
	driver  driver.Driver
	path    string
	pragmas []string
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(fileURI(c.path))
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("driver %T has no ExecContext", c.driver), conn.Close())
	}
	for _, pragma := range c.pragmas {
		if _, err := execer.ExecContext(ctx, "PRAGMA "+pragma, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("PRAGMA %s: %w", pragma, err), conn.Close())
		}
	}
	return conn, nil
}

// filePath returns the file behind db, and an error if there is none.
func filePath(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := db.QueryContext(ctx, "PRAGMA database_list")
	if err != nil {
		return "", fmt.Errorf("PRAGMA database_list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			n          int
			name, file string
		)
		if err := rows.Scan(&n, &name, &file); err != nil {
			return "", fmt.Errorf("PRAGMA database_list: %w", err)
		}
		if name != "main" {
			continue
		}
		if file == "" {
			return "", errInMemory
		}
		return file, nil
	}
	return "", errors.Join(errInMemory, rows.Err())
}
