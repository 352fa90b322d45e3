package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// start runs the program and returns its address.
func start(t *testing.T) (address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-addr", "127.0.0.1:0", "-every", "2ms"}, stdout, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !strings.Contains(err.Error(), "context") {
			t.Errorf("run: %v", err)
		}
	})
	line, err := bufio.NewReader(reader).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "observability: listening on ")
	if !ok {
		t.Fatalf("first line is %q, %v", line, err)
	}
	return address
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, resp.Status, err, body)
	}
	return string(body)
}

// scrape returns the names that Prometheus reads, with those of a histogram's parts, and
// the names of labels.
func scrape(t *testing.T, address string) (names, labels map[string]bool) {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(get(t, address+"/metrics")))
	if err != nil {
		t.Fatal(err)
	}
	names, labels = map[string]bool{}, map[string]bool{"le": true}
	for name, family := range families {
		names[name] = true
		for _, m := range family.GetMetric() {
			if m.GetHistogram() != nil {
				names[name+"_bucket"], names[name+"_count"], names[name+"_sum"] = true, true, true
			}
			for _, label := range m.GetLabel() {
				labels[label.GetName()] = true
			}
		}
	}
	return names, labels
}

var (
	metricName = regexp.MustCompile(`\b(?:altinn_events|messaging)_[a-z_]+(?:_total|_seconds|_bucket|_count|_sum|_depth)\b`)
	labelName  = regexp.MustCompile(`by \(([a-z_, ]+)\)|([a-z_]+)(?:=~|!=|=)"`)
)

// expressions are those of the dashboard and of the alerts.
func expressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`expr: (.*)`).FindAllStringSubmatch(string(rules), -1) {
		all = append(all, found[1])
	}
	if len(all) < 15 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// Every metric and label that dashboard and alerts name is in a real scrape.
func TestDashboardAndAlerts(t *testing.T) {
	address := start(t)
	var missing []string
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		names, labels := scrape(t, address)
		missing = nil
		for _, expr := range expressions(t) {
			found := metricName.FindAllString(expr, -1)
			if len(found) == 0 {
				t.Fatalf("%s names no metric", expr)
			}
			for _, name := range found {
				if !names[name] {
					missing = append(missing, name)
				}
			}
			for _, match := range labelName.FindAllStringSubmatch(expr, -1) {
				for label := range strings.SplitSeq(match[1]+match[2], ",") {
					if !labels[strings.TrimSpace(label)] {
						missing = append(missing, "label "+label)
					}
				}
			}
		}
		if missing == nil || time.Now().After(deadline) {
			break
		}
	}
	if missing != nil {
		t.Errorf("a scrape lacks %v:\n%s", missing, get(t, address+"/metrics"))
	}
	if body := get(t, address+"/health/events"); !strings.Contains(body, `"status":"ok"`) {
		t.Errorf("health is %s", body)
	}
}

// Prometheus's own tool reads the rules, where it is installed.
func TestAlerts_Promtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
