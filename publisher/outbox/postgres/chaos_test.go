package postgres_test

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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/testutil/pgtest"
)

const (
	chaosProcesses = 3
	chaosWorkers   = 8
	chaosKeys      = 4 // per process
)

// Three processes publish to one queue and relay it. In each round one of them is
// killed with kill -9 and another takes its place. OUTBOX_CHAOS_ROUNDS says how many;
// it defaults to 3.
func TestChaos_KillNine(t *testing.T) {
	t.Parallel()
	rounds := 3
	if text := os.Getenv("OUTBOX_CHAOS_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("OUTBOX_CHAOS_ROUNDS: %v", err)
		}
		rounds = n
	}
	address := pgtest.URL(t)
	pool := newPool(t, address)
	if err := postgres.Migrate(t.Context(), pool, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	e := &chaosEndpoint{first: map[string]bool{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	acks := &chaosAcks{}
	started := 0
	start := func() *chaosProcess {
		started++
		return startChaosProcess(t, acks, fmt.Sprint("p", started), address, server.URL)
	}
	var processes []*chaosProcess
	for range chaosProcesses {
		processes = append(processes, start())
	}
	for range rounds {
		before := acks.count()
		eventually(t, "a hundred more events", func() bool { return acks.count() >= before+100 })
		<-time.After(rand.N(300 * time.Millisecond))
		victim := rand.IntN(chaosProcesses)
		processes[victim].kill()
		processes[victim] = start()
	}
	for _, p := range processes {
		p.stopPublishing()
	}
	end := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("acknowledged and not delivered: %d of %d", len(e.missing(acks.all())), acks.count())
		}
	})
	eventually(t, "every acknowledged event at the endpoint", func() bool { return len(e.missing(acks.all())) == 0 })
	took := time.Since(end)
	for _, p := range processes {
		p.stop()
	}

	q := open(t, pool, postgres.Config{})
	stats, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Sending != 0 || stats.Discarded != 0 {
		t.Errorf("Stats = %+v, want nothing under way and nothing discarded", stats)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t.Logf("%d rounds: %d acknowledged, %d delivered, %d twice; the last %v after the last was published",
		rounds, acks.count(), len(e.order), e.again, took.Round(time.Millisecond))
	if most := rounds * 3 * chaosWorkers; e.again > most {
		t.Errorf("%d duplicates, want at most the %d that were in flight", e.again, most)
	}
	checkChaosOrder(t, e.order)
}

// checkChaosOrder sees that first deliveries of a key came in order.
func checkChaosOrder(t *testing.T, ids []string) {
	t.Helper()
	last := map[string]int{}
	for _, id := range ids {
		key, number, _ := strings.Cut(id, "#")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		if n <= last[key] {
			t.Errorf("%s came after %s#%d", id, key, last[key])
		}
		last[key] = n
	}
}

// chaosEndpoint takes events, and refuses one in ten for the moment.
type chaosEndpoint struct {
	mu    sync.Mutex
	first map[string]bool
	order []string // of first deliveries
	again int
}

func (e *chaosEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Id")
	if rand.IntN(10) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first[id] {
		e.again++
		return
	}
	e.first[id] = true
	e.order = append(e.order, id)
}

func (e *chaosEndpoint) missing(ids []string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var missing []string
	for _, id := range ids {
		if !e.first[id] {
			missing = append(missing, id)
		}
	}
	return missing
}

// chaosAcks are the events that Enqueue or a commit acknowledged.
type chaosAcks struct {
	mu  sync.Mutex
	ids []string
}

func (a *chaosAcks) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, id)
}

func (a *chaosAcks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

func (a *chaosAcks) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.ids...)
}

// chaosProcess is this test binary as another process. It says on stdout what was
// acknowledged, publishes until it reads a line and ends with its stdin.
type chaosProcess struct {
	tb    testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	read  chan struct{} // closed when all of stdout has been read
}

func startChaosProcess(tb testing.TB, acks *chaosAcks, name, address, endpoint string) *chaosProcess {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHAOS_PROCESS="+name, "CHAOS_DATABASE="+address, "CHAOS_ENDPOINT="+endpoint)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &chaosProcess{tb: tb, cmd: cmd, stdin: stdin, read: make(chan struct{})}
	go func() {
		defer close(p.read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			acks.add(lines.Text())
		}
	}()
	tb.Cleanup(func() { _ = cmd.Process.Kill() })
	return p
}

func (p *chaosProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.read
	_ = p.cmd.Wait()
}

func (p *chaosProcess) stopPublishing() { _, _ = p.stdin.Write([]byte("\n")) }

func (p *chaosProcess) stop() {
	p.tb.Helper()
	_ = p.stdin.Close()
	<-p.read
	if err := p.cmd.Wait(); err != nil {
		p.tb.Errorf("process: %v", err)
	}
}

// chaosMain is the main function of such a process.
func chaosMain() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	config, err := pgxpool.ParseConfig(os.Getenv("CHAOS_DATABASE"))
	if err != nil {
		return err
	}
	config.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	q, err := postgres.New(ctx, pool, postgres.Config{Workers: chaosWorkers})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, chaosPost(os.Getenv("CHAOS_ENDPOINT"))) }()

	publishing, stop := context.WithCancel(ctx)
	go func() {
		commands := bufio.NewReader(os.Stdin)
		_, _ = commands.ReadString('\n')
		stop()
		_, _ = commands.ReadString('\n')
		cancel()
	}()
	var publishers sync.WaitGroup
	for n := range chaosKeys {
		publishers.Go(func() {
			key := os.Getenv("CHAOS_PROCESS") + fmt.Sprint("-k", n)
			for n := 1; publishing.Err() == nil; n++ {
				id := fmt.Sprint(key, "#", n)
				if err := chaosPublish(ctx, q, pool, id, key, n%2 == 0); err != nil {
					fmt.Fprintln(os.Stderr, "publish:", err)
					return
				}
				_, _ = os.Stdout.WriteString(id + "\n")
			}
		})
	}
	publishers.Wait()
	return <-ended
}

// chaosPublish publishes an event, alone or in a transaction with a pause in it.
func chaosPublish(ctx context.Context, q *postgres.Queue, pool *pgxpool.Pool, id, key string, inTx bool) error {
	if !inTx {
		it := item(id, "urn:altinn:resource:test/"+key)
		it.Source = "https://example.com/chaos"
		return q.Enqueue(ctx, it)
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := q.PublishTx(ctx, tx, newEvent(id, key)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_sleep(0.002)")
		return err
	})
}

// chaosPost delivers to the endpoint.
func chaosPost(endpoint string) deliver {
	client := &http.Client{Timeout: 10 * time.Second}
	again := outbox.Outcome{State: outbox.Retry, Reason: "unavailable"}
	return func(ctx context.Context, it outbox.Item) outbox.Outcome {
		again := again
		again.RetryAt = time.Now().Add(20 * time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, http.NoBody)
		if err != nil {
			return again
		}
		req.Header.Set("Id", it.ID)
		resp, err := client.Do(req)
		if err != nil {
			return again
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return again
		}
		return outbox.Outcome{}
	}
}
