package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// vital is the state of this process at one moment.
type vital struct {
	at         time.Duration // since it began
	rss        float64       // bytes, resident
	heap       float64       // bytes, live after a collection
	goroutines float64
	files      float64 // file descriptors
	disk       float64 // bytes in a folder
}

func (v vital) String() string {
	return fmt.Sprintf("rss %s  heap %s  goroutines %.0f  fds %.0f  disk %s",
		size(v.rss), size(v.heap), v.goroutines, v.files, size(v.disk))
}

// takeVitals collects garbage and looks; folder is where the database is.
func takeVitals(folder string) (vital, error) {
	v := vital{heap: liveHeap(), goroutines: float64(runtime.NumGoroutine())}
	var err error
	if v.rss, err = residentBytes(); err != nil {
		return v, err
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return v, err
	}
	v.files = float64(len(files))
	v.disk, err = folderBytes(folder)
	return v, err
}

// liveHeap is how many bytes of the heap are in use after a collection.
func liveHeap() float64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

// residentBytes is how much of this process is in memory.
func residentBytes() (float64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var all, resident int
	if _, err := fmt.Sscan(string(text), &all, &resident); err != nil {
		return 0, err
	}
	return float64(resident * os.Getpagesize()), nil
}

func folderBytes(folder string) (total float64, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(folder, entry.Name()))
		if err != nil {
			return 0, err
		}
		total += float64(info.Size())
	}
	return total, nil
}

// judgeVitals compares the first third of what came after the warm-up with the
// last.
func judgeVitals(all []vital, warmup time.Duration) verdict {
	all = slices.DeleteFunc(slices.Clone(all), func(v vital) bool { return v.at < warmup })
	third := len(all) / 3
	flat := func(name string, of func(vital) float64, text func(float64) string) criterion {
		median := func(vitals []vital) float64 {
			var figures []float64
			for _, v := range vitals {
				figures = append(figures, of(v))
			}
			return spreadOf(figures).Median
		}
		first, last := median(all[:third]), median(all[len(all)-third:])
		change := last/first - 1
		return criterion{name + " flat", math.Abs(change) <= 0.10, // not of NaN
			fmt.Sprintf("%s, then %s: %+.1f %%", text(first), text(last), 100*change)}
	}
	number := func(f float64) string { return fmt.Sprintf("%.0f", f) }
	return verdict{
		flat("rss", func(v vital) float64 { return v.rss }, size),
		flat("heap", func(v vital) float64 { return v.heap }, size),
		flat("goroutines", func(v vital) float64 { return v.goroutines }, number),
		flat("file descriptors", func(v vital) float64 { return v.files }, number),
		flat("disk", func(v vital) float64 { return v.disk }, size),
	}
}

// size writes bytes for people.
func size(bytes float64) string {
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if math.Abs(bytes) >= unit.bytes {
			return fmt.Sprintf("%.3g %s", bytes/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", bytes)
}
