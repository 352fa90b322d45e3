package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritePlot(t *testing.T) {
	t.Parallel()
	line := func(name string, ours bool, base float64) curve {
		c := curve{Name: name, Ours: ours}
		for _, at := range []int{1, 4, 16, 64, 256} {
			c.Points = append(c.Points, point{at, base * min(float64(at), 8)})
		}
		return c
	}
	all := []curve{
		line("this library", true, 3000), line("net/http, tuned", false, 3050), line("fasthttp", false, 4100),
		line("written by hand", false, 5200), line("Watermill, fixed", false, 2700), line("sdk-go, fixed", false, 2100),
		line("sdk-go as it comes", false, 900),
	}
	file := filepath.Join(t.TempDir(), "plot.svg")
	if err := writePlot(file, curves{Workers: all, Depth: all[:3]}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(text))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range all {
		if !strings.Contains(string(text), c.Name) {
			t.Errorf("%s is not named", c.Name)
		}
	}
	for _, name := range []string{"events per second", "workers", "events waiting"} {
		if !strings.Contains(string(text), name) {
			t.Errorf("the plot does not say %q", name)
		}
	}
}
