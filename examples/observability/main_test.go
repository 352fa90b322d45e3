package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
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
		if err := <-done; err != nil {
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

// scrape returns the names of metrics that Prometheus reads, with those of a histogram's
// parts, and the names of each one's labels.
func scrape(t *testing.T, address string) map[string]map[string]bool {
	t.Helper()
	text := expfmt.NewTextParser(model.LegacyValidation)
	families, err := text.TextToMetricFamilies(strings.NewReader(get(t, address+"/metrics")))
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]map[string]bool{}
	for name, family := range families {
		all := map[string]bool{}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				all[label.GetName()] = true
			}
			if m.GetHistogram() != nil {
				labels[name+"_count"], labels[name+"_sum"] = all, all
				labels[name+"_bucket"] = map[string]bool{"le": true}
			}
		}
		labels[name] = all
	}
	for name := range labels {
		if histogram, ok := strings.CutSuffix(name, "_bucket"); ok {
			maps.Copy(labels[name], labels[histogram])
		}
	}
	return labels
}

// dashboard is what Grafana needs of dashboard.json.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"list"`
	} `json:"templating"`
	Panels []*struct {
		ID         int    `json:"id"`
		Type       string `json:"type"`
		Title      string `json:"title"`
		Datasource struct {
			Type string `json:"type"`
			UID  string `json:"uid"`
		} `json:"datasource"`
		GridPos struct {
			H int `json:"h"`
			W int `json:"w"`
			X int `json:"x"`
			Y int `json:"y"`
		} `json:"gridPos"`
		Targets []struct {
			RefID string `json:"refId"`
			Expr  string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// alert is a rule of alerts.yml.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         model.Duration    `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readAlerts(t *testing.T) (all []alert) {
	t.Helper()
	file, err := os.Open("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// expressions are those of the dashboard and of the alerts, which Prometheus reads itself.
func expressions(t *testing.T) []parser.Expr {
	t.Helper()
	promql := parser.NewParser(parser.Options{})
	var all []parser.Expr
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h")
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			expr, err := promql.ParseExpr(variables.Replace(target.Expr))
			if err != nil {
				t.Fatalf("%s: %v", p.Title, err)
			}
			all = append(all, expr)
		}
	}
	for _, rule := range readAlerts(t) {
		expr, err := promql.ParseExpr(rule.Expr)
		if err != nil {
			t.Fatalf("%s: %v", rule.Alert, err)
		}
		if rule.Alert == "" || rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
			t.Errorf("alert %+v lacks a name, a summary or a severity", rule)
		}
		all = append(all, expr)
	}
	if len(all) < 15 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// lacks is what an expression names and a scrape does not have.
func lacks(expr parser.Expr, scraped map[string]map[string]bool) (missing []string) {
	var labels map[string]bool
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if labels = scraped[selector.Name]; labels == nil {
			missing = append(missing, selector.Name)
		}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !labels[matcher.Name] {
				missing = append(missing, selector.Name+" by "+matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if sum, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range sum.Grouping {
				if label != "job" && !labels[label] { // Prometheus adds the job
					missing = append(missing, "label "+label)
				}
			}
		}
		return nil
	})
	return missing
}

// Every metric that dashboard and alerts name is in a real scrape, with its labels.
func TestDashboardAndAlerts(t *testing.T) {
	address := start(t)
	exprs := expressions(t)
	var missing []string
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		scraped := scrape(t, address)
		missing = nil
		for _, expr := range exprs {
			missing = append(missing, lacks(expr, scraped)...)
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

// Grafana would take the dashboard: panels are told apart, lie beside each other and ask
// the data source that one chooses.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 || len(d.Templating.List) != 1 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("dashboard is %q, %q, schema %d, with variables %v", d.UID, d.Title, d.SchemaVersion, d.Templating.List)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.Type == "" || p.Title == "" || ids[p.ID] || p.Datasource.Type != "prometheus" || p.Datasource.UID != "${"+d.Templating.List[0].Name+"}" {
			t.Errorf("panel %d, %q: of type %q, asks %v", p.ID, p.Title, p.Type, p.Datasource)
		}
		ids[p.ID] = true
		refs := map[string]bool{}
		for _, target := range p.Targets {
			if target.RefID == "" || refs[target.RefID] {
				t.Errorf("%s: target %q twice", p.Title, target.RefID)
			}
			refs[target.RefID] = true
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := cells[cell]; other != "" || cell[0] >= 24 {
					t.Fatalf("%s lies over %q at %v", p.Title, other, cell)
				}
				cells[cell] = p.Title
			}
		}
		if len(refs) == 0 || p.GridPos.W == 0 || p.GridPos.H == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
}
