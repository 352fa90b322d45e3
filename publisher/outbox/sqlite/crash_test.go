package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// The crash tests start this test binary again as a child process, which publishes
// to a file and writes a line to stdout for each event that was acknowledged, until
// it is killed.
const (
	childEnv  = "OUTBOX_SQLITE_TEST_CHILD"    // what the child does: relay or torn
	pathEnv   = "OUTBOX_SQLITE_TEST_PATH"     // of the file
	urlEnv    = "OUTBOX_SQLITE_TEST_ENDPOINT" // where it delivers
	roundEnv  = "OUTBOX_SQLITE_TEST_ROUND"
	roundsEnv = "OUTBOX_CHAOS_ROUNDS" // how many rounds TestCrash has; defaults to 10

	crashWorkers = 8
	crashKeys    = 6
)

// child is the child's main function.
func child() int {
	db, err := sqlite.OpenDB(os.Getenv(pathEnv))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	q, err := sqlite.New(db, sqlite.Config{Workers: crashWorkers, PollInterval: 5 * time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv(childEnv) == "torn" {
		return publishTorn(q)
	}
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS changes (id TEXT PRIMARY KEY)"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	round, err := strconv.Atoi(os.Getenv(roundEnv))
	if err != nil {
		return 1
	}
	for key := range crashKeys {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d/%04d-%06d", key, round, n)
				var err error
				if key%2 == 0 {
					err = q.Enqueue(context.Background(), item(id, fmt.Sprint("urn:altinn:resource:test/", key)))
				} else {
					err = change(q, db, id, strconv.Itoa(key))
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(id)
			}
		}()
	}
	fmt.Fprintln(os.Stderr, q.Run(context.Background(), postTo(os.Getenv(urlEnv))))
	return 1
}

// postTo delivers to url and retries what is not answered 200.
func postTo(url string) func(context.Context, outbox.Item) outbox.Outcome {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: crashWorkers}, Timeout: 5 * time.Second}
	return func(ctx context.Context, it outbox.Item) outbox.Outcome {
		again := outbox.Outcome{State: outbox.Retry, RetryAt: time.Now().Add(rand.N(20 * time.Millisecond))}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(it.ID))
		if err != nil {
			return again
		}
		resp, err := client.Do(req)
		if err != nil {
			return again
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return again
		}
		return outbox.Outcome{}
	}
}

// endpoint is the parent's: it takes nine of ten events and writes them down.
type endpoint struct {
	mu   sync.Mutex
	came []string
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := io.ReadAll(r.Body)
	if err != nil || rand.IntN(10) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.came = append(e.came, string(id))
}

// startChild starts the child and hands every line that it acknowledges to ack.
// kill kills it with signal 9 and returns when all its lines have been read.
func startChild(t *testing.T, env []string, ack func(line string)) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // a torn line was not acknowledged
			}
			ack(strings.TrimSuffix(line, "\n"))
		}
	}()
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	return kill
}

// TestCrash kills a process that publishes and relays, at random moments, and
// compares once, at the end, what was acknowledged with what was delivered.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := 10
	if text := os.Getenv(roundsEnv); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	sink := &endpoint{}
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "app.db")
	var (
		mu    sync.Mutex
		acked []string
	)
	for round := range rounds {
		first := make(chan struct{})
		once := sync.OnceFunc(func() { close(first) })
		kill := startChild(t, []string{
			childEnv + "=relay", pathEnv + "=" + path, urlEnv + "=" + server.URL, roundEnv + "=" + strconv.Itoa(round),
		}, func(line string) {
			mu.Lock()
			defer mu.Unlock()
			acked = append(acked, line)
			once()
		})
		select {
		case <-first:
		case <-time.After(time.Minute):
			t.Fatalf("round %d: the child acknowledged nothing", round)
		}
		<-time.After(rand.N(150 * time.Millisecond))
		kill()
	}

	db := openDB(t, path)
	q := newQueue(t, db, sqlite.Config{Workers: crashWorkers})
	t.Logf("%d rounds: %d events acknowledged, %d deliveries before the last restart, left %+v",
		rounds, len(acked), len(sink.came), stats(t, q))
	stop := run(t, q, postTo(server.URL))
	for deadline := time.Now().Add(60 * time.Second); ; {
		if s := stats(t, q); s.Pending+s.Sending == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not everything was delivered: %+v", stats(t, q))
		}
		<-time.After(10 * time.Millisecond)
	}
	stop()
	checkCrash(t, acked, sink.came, rounds*crashWorkers)
	for _, id := range acked {
		if key, _, _ := strings.Cut(id, "/"); key[0]%2 == 0 {
			continue // of Enqueue
		}
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM changes WHERE id = ?", id).Scan(&n); err != nil || n != 1 {
			t.Fatalf("event %s was acknowledged and its change is not there: %d, %v", id, n, err)
		}
	}
}

// checkCrash sees that all that was acknowledged came, in order of key among first
// deliveries, with no more than maxRepeats repeats.
func checkCrash(t *testing.T, acked, came []string, maxRepeats int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]string{}
	repeats := 0
	for _, id := range came {
		if seen[id] {
			repeats++
			continue
		}
		seen[id] = true
		key, _, _ := strings.Cut(id, "/")
		if id < last[key] {
			t.Errorf("%s came after %s", id, last[key])
		}
		last[key] = id
	}
	lost := slices.DeleteFunc(slices.Clone(acked), func(id string) bool { return seen[id] })
	if len(lost) > 0 {
		t.Errorf("%d of %d acknowledged events were lost: %v", len(lost), len(acked), lost[:min(10, len(lost))])
	}
	if repeats > maxRepeats {
		t.Errorf("%d events came twice, want %d at most: what was in flight at a kill", repeats, maxRepeats)
	}
	t.Logf("%d first deliveries, %d repeats (bound %d)", len(seen), repeats, maxRepeats)
}
