// Package pgtest gives tests a PostgreSQL database of their own.
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.M(m)) }
//
//	func TestX(t *testing.T) {
//		pool, err := pgxpool.New(t.Context(), pgtest.URL(t))
//
// The first call of URL in a test binary starts a private server: its files and
// its socket are in a temporary folder, it listens on no network, and it is gone
// with the test binary, also when that is killed. It needs initdb and postgres,
// which are looked for in PATH and in /usr/lib/postgresql/*/bin. PostgreSQL refuses
// to run as root; it runs as user postgres or nobody then.
//
// With TEST_DATABASE_URL set, databases are made on that server instead. With
// neither, the test is skipped and says so, and fails if CI is set, so that nobody
// takes a skipped test for a passed one.
//
// Only tests import this package.
package pgtest
