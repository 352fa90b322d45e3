package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long a server may take to start.
const startTimeout = 60 * time.Second

// shared is the test binary's one server.
var shared = struct {
	sync.Once

	server *Server
	err    error
}{}

// databases numbers the databases of this process.
var databases atomic.Int64

// main runs the tests and removes the server afterwards.
type main struct{ m interface{ Run() int } }

// M returns m, with the removal of the server after the tests. It is for TestMain,
// and fits goleak.VerifyTestMain.
func M(m *testing.M) interface{ Run() int } { return main{m} }

// Run implements the interface that goleak asks for.
func (m main) Run() int {
	defer func() {
		if shared.server != nil {
			shared.server.remove()
			shared.server = nil
		}
	}()
	return m.m.Run()
}

// URL returns the address of a new, empty database that is dropped when the test
// ends. It skips the test when there is no server to be had.
func URL(tb testing.TB) string {
	tb.Helper()
	admin := os.Getenv("TEST_DATABASE_URL")
	if admin == "" {
		shared.Do(func() { shared.server, shared.err = start() })
		if shared.err != nil {
			unavailable(tb, shared.err)
		}
		admin = shared.server.URL("postgres")
	}
	name := fmt.Sprintf("pgtest_%d_%d", os.Getpid(), databases.Add(1))
	execute(tb, admin, "CREATE DATABASE "+name)
	tb.Cleanup(func() { execute(tb, admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	address, err := withDatabase(admin, name)
	if err != nil {
		tb.Fatalf("TEST_DATABASE_URL: %v", err)
	}
	return address
}

// NewServer starts a server for one test alone, which may stop it and start it
// again. It is removed when the test ends. It skips the test when there are no
// binaries, also with TEST_DATABASE_URL.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	s, err := start()
	if err != nil {
		unavailable(tb, err)
	}
	tb.Cleanup(s.remove)
	return s
}

func start() (*Server, error) {
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.start(ctx); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// unavailable ends a test that has no server: a developer may lack one, CI may not.
func unavailable(tb testing.TB, err error) {
	tb.Helper()
	if !errors.Is(err, errNoBinaries) || os.Getenv("CI") != "" {
		tb.Fatalf("no PostgreSQL: %v", err)
	}
	tb.Skipf("SKIPPED, no PostgreSQL: %v; install it or set TEST_DATABASE_URL", err)
}

// execute runs one statement on a connection of its own.
func execute(tb testing.TB, address, statement string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		tb.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

// withDatabase returns the address of another database on the same server. Both
// forms of an address are taken: a URL, and "name=value …".
func withDatabase(address, name string) (string, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return address + " dbname=" + name, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("it is no URL") // the parser's error would show a password
	}
	u.Path = "/" + name
	return u.String(), nil
}
