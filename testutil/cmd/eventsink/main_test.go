package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// programEnv makes the test's binary the program.
const programEnv = "EVENTSINK_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// start runs the program as a process of its own and returns its address. stop
// sends a signal and waits for the end.
func start(t *testing.T, args ...string) (address string, stop func(os.Signal) error) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func(signal os.Signal) error {
		ended = true
		if err := cmd.Process.Signal(signal); err != nil {
			return err
		}
		return cmd.Wait()
	}
	t.Cleanup(func() {
		defer cancel()
		if !ended {
			_ = stop(os.Kill)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "eventsink: listening on ")
	if !ok {
		t.Fatalf("first line is %q, %v; stderr: %s", line, err, stderr.String())
	}
	return address, stop
}

// request sends one and returns the status and the body of the answer.
func request(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

const (
	appEvent = `{"type":"app.instance.created","source":"https://ttd.apps.altinn.no/ttd/apps-test/instances/1337/428a4575-2c04-4400-89a3-1aaadd2579cd",` +
		`"subject":"/party/1337","specversion":"1.0"}`
	api = "/events/api/v1"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	address, stop := start(t, "-addr", ":0")
	if status, body := request(t, "GET", address+"/health", ""); status != 200 || body != "ok\n" {
		t.Errorf("health: %d %q", status, body)
	}
	token := func(body string) string {
		status, answer := request(t, "POST", address+"/_sink/tokens", body)
		if status != 200 {
			t.Fatalf("token: %d %s", status, answer)
		}
		return strings.TrimSuffix(strings.TrimPrefix(answer, `{"token":"`), `"}`)
	}
	tokens := []string{
		"Content-Type", "application/json", "Authorization", "Bearer " + token(`{}`),
		"PlatformAccessToken", token(`{"kind":"platform","claims":{"iss":"ttd","urn:altinn:app":"apps-test"},"expiresIn":"1m"}`),
	}
	if status, body := request(t, "POST", address+api+"/app", appEvent, tokens...); status != 201 {
		t.Errorf("POST /app: %d %s", status, body)
	}
	if status, body := request(t, "GET", address+"/_sink/wait?type=app.instance.created", ""); status != 200 || !strings.Contains(body, "/party/1337") {
		t.Errorf("wait: %d %s", status, body)
	}
	if status, body := request(t, "GET", address+api+"/app/ttd/apps-test?after=0", "", tokens[2:]...); status != 200 || !strings.Contains(body, "created") {
		t.Errorf("query: %d %s", status, body)
	}
	if err := stop(syscall.SIGTERM); err != nil {
		t.Errorf("end: %v, want exit code 0", err)
	}
}

// Requests under way end before the program does.
func TestProgram_StopsGracefully(t *testing.T) {
	t.Parallel()
	address, stop := start(t, "-addr", "127.0.0.1:0", "-auth", "off")
	if status, body := request(t, "POST", address+"/_sink/faults", `{"endpoint":"/app","delay":"2s","times":1}`); status != 204 {
		t.Fatalf("fault: %d %s", status, body)
	}
	begun, answered := make(chan struct{}), make(chan int)
	go func() {
		close(begun)
		status, _ := request(t, "POST", address+api+"/app", appEvent, "Content-Type", "application/json")
		answered <- status
	}()
	<-begun
	time.Sleep(time.Second) // the request is under way by then
	if err := stop(os.Interrupt); err != nil {
		t.Errorf("end: %v, want exit code 0", err)
	}
	if status := <-answered; status != 201 {
		t.Errorf("the request under way got %d, want 201", status)
	}
}

// Files are read, and each flag reaches the sink.
func TestProgram_Flags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	address, _ := start(t, "-addr", "localhost:0", "-auth", "off", "-base-url", "https://events.example.com/", "-apps-domain", "apps.example.com",
		"-http-webhooks=false", "-max-events", "2", "-retry-scale", "60", "-visibility-lag", "1ms",
		"-parties", write("parties.json", `[{"partyId":1337,"personNumber":"01038712345"}]`),
		"-policy", write("policy.json", `[{"resource":"urn:altinn:resource:secret","decision":"deny"}]`))
	json := []string{"Content-Type", "application/json"}
	for range 3 {
		request(t, "POST", address+api+"/app", appEvent, json...)
	}
	if _, body := request(t, "GET", address+"/_sink/events", ""); strings.Count(body, `"receivedAt"`) != 2 {
		t.Errorf("-max-events 2: %s", body)
	}
	for body, want := range map[string]int{
		`{"endPoint":"http://localhost/","resourceFilter":"urn:altinn:resource:x"}`:                                                          400,
		`{"endPoint":"https://localhost/","resourceFilter":"urn:altinn:resource:secret"}`:                                                    403,
		`{"endPoint":"https://x.example/","sourceFilter":"https://a.apps.example.com/a/b","alternativeSubjectFilter":"/person/01038712345"}`: 201,
	} {
		if status, answer := request(t, "POST", address+api+"/subscriptions", body, json...); status != want {
			t.Errorf("%s: %d %s, want %d", body, status, answer, want)
		}
	}
	if status, body := request(t, "GET", address+"/_sink/wait?type=none&timeout=10ms", ""); status != 408 {
		t.Errorf("wait: %d %s", status, body)
	}
	_, deliveries := request(t, "GET", address+"/_sink/deliveries", "")
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(deliveries, `"heldBack":true`); {
		if time.Now().After(deadline) {
			t.Fatalf("no delivery was held back: %s", deliveries)
		}
		time.Sleep(5 * time.Millisecond)
		_, deliveries = request(t, "GET", address+"/_sink/deliveries", "")
	}
	if !strings.Contains(deliveries, "https://events.example.com/events/api/v1/subscriptions/1") {
		t.Errorf("-base-url: %s", deliveries)
	}
}

func TestRun_BadFlags(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte("[\n  {\"partyId\": 1, \"persnNumber\": \"01038712345\"}\n]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-nonsense"}, "-h lists the flags"},
		{[]string{"extra"}, `"extra" is no flag`},
		{[]string{"-addr", "5080"}, `-addr "5080": want host:port`},
		{[]string{"-addr", "0.0.0.0:0"}, "add -allow-remote"},
		{[]string{"-addr", "example.com:0"}, "add -allow-remote"},
		{[]string{"-auth", "on"}, "want decode, verify or off"},
		{[]string{"-auth", "verify"}, "-keys FILE"},
		{[]string{"-keys", bad}, "has no meaning with -auth decode"},
		{[]string{"-auth", "verify", "-keys", bad}, "parse keys"},
		{[]string{"-parties", bad}, `bad.json: line 2, column`},
		{[]string{"-parties", bad}, `there is no member "persnNumber"`},
		{[]string{"-parties", filepath.Join(t.TempDir(), "none.json")}, "no such file"},
		{[]string{"-policy", bad}, "there is no member"},
		{[]string{"-retry-scale", "0"}, "want more than 0"},
		{[]string{"-max-events", "0"}, "want 1 or more"},
		{[]string{"-visibility-lag", "-1s"}, "VisibilityLag"},
		{[]string{"-base-url", "localhost"}, "BaseURL"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"-addr", ":0"}, tt.args...), &stdout, &stderr); code == 0 || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("%v: code %d, %q; want %q", tt.args, code, stderr.String(), tt.want)
		}
		if stdout.Len() > 0 || strings.Contains(stderr.String(), "01038712345") {
			t.Errorf("%v: stdout %q, stderr %q", tt.args, stdout.String(), stderr.String())
		}
	}
}

func TestRun_Help(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != 0 {
		t.Errorf("code %d, want 0", code)
	}
	for _, name := range []string{
		"addr", "allow-remote", "auth", "keys", "parties", "policy", "visibility-lag", "http-webhooks", "remote-webhooks", "retry-scale",
		"apps-domain", "base-url", "max-events",
	} {
		if !strings.Contains(stderr.String(), "\n  -"+name) {
			t.Errorf("help lacks -%s", name)
		}
	}
}
