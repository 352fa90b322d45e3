package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The plot has a ground of its own, so that it reads the same on a dark page.
var (
	ground   = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	ink      = color.NRGBA{0x1f, 0x23, 0x28, 0xff}
	quietInk = color.NRGBA{0x59, 0x63, 0x6e, 0xff}
	gridInk  = color.NRGBA{0xdd, 0xe1, 0xe6, 0xff}
	oursInk  = []color.Color{color.NRGBA{0x0a, 0x5c, 0xd6, 0xff}, color.NRGBA{0x00, 0x83, 0x6b, 0xff}}
	peersInk = []color.Color{
		color.NRGBA{0x7a, 0x4d, 0xb8, 0xff},
		color.NRGBA{0xb2, 0x5b, 0x00, 0xff},
		color.NRGBA{0x6e, 0x77, 0x81, 0xff},
		color.NRGBA{0x1b, 0x7c, 0x83, 0xff},
		color.NRGBA{0xc2, 0x2f, 0x6d, 0xff},
		color.NRGBA{0x8f, 0x1d, 0x1d, 0xff},
	}
)

const (
	plotWidth, plotHeight = 860 * vg.Inch / 96, 420 * vg.Inch / 96 // in the pixels of a page
	labelSize             = 9
)

// writePlot draws curves as an SVG file.
func writePlot(file string, c curves) error {
	canvas := vgsvg.New(plotWidth, plotHeight)
	whole := draw.New(canvas)
	whole.SetColor(ground)
	whole.Fill(whole.Path())
	const (
		half   = plotWidth / 2
		margin = 12
		names  = 92 // at the right of a panel, for the names of its curves
	)
	for i, panel := range []struct {
		title, x string
		curves   []curve
	}{
		{"Publishing, by workers", "workers, a request each", c.Workers},
		{"Delivering from a queue, by depth", "events waiting", c.Depth},
	} {
		p, err := drawPanel(panel.title, panel.x, panel.curves)
		if err != nil {
			return err
		}
		left := vg.Length(i) * half
		p.Draw(draw.Crop(whole, left+margin, left+half-plotWidth-names, margin, -margin))
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return err
	}
	// The font is not in the file, and not on every machine; others are as wide.
	const family = "font-family:Liberation Sans"
	text := bytes.ReplaceAll(out.Bytes(), []byte(family), []byte(family+",Arial,Helvetica,sans-serif"))
	return os.WriteFile(file, text, 0o600)
}

func style(size vg.Length, ink color.Color) text.Style {
	return text.Style{
		Color: ink, Handler: plot.DefaultTextHandler,
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
	}
}

// drawPanel is one plot, its curves named at their right ends.
func drawPanel(title, x string, all []curve) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = ground
	p.Title.Text, p.Title.Padding = title, 8
	p.Title.TextStyle = style(13, ink)
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	p.X.Label.Text, p.Y.Label.Text = x, "events per second"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		align := axis.Label.TextStyle
		axis.Label.TextStyle = style(10, quietInk)
		axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign, axis.Label.TextStyle.Rotation = align.XAlign, align.YAlign, align.Rotation
		align = axis.Tick.Label
		axis.Tick.Label = style(labelSize, quietInk)
		axis.Tick.Label.XAlign, axis.Tick.Label.YAlign = align.XAlign, align.YAlign
		axis.Color, axis.Tick.Color = quietInk, quietInk
		axis.Label.Padding, axis.Padding, axis.Tick.Length = 6, 4, 4
	}
	if len(all) == 0 || len(all[0].Points) == 0 {
		return p, nil
	}
	low, high := math.Inf(1), 0.0
	var atX []plot.Tick
	for _, at := range all[0].Points {
		atX = append(atX, plot.Tick{Value: float64(at.At), Label: thousands(at.At)})
	}
	for _, c := range all {
		for _, at := range c.Points {
			low, high = min(low, at.Rate), max(high, at.Rate)
		}
	}
	p.X.Tick.Marker = plot.ConstantTicks(atX)
	p.Y.Tick.Marker = plot.ConstantTicks(ticks(low, high))
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, gridInk
	p.Add(grid)

	ends := labels{size: labelSize}
	ours, peers := 0, 0
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b curve) int { // ours on top
		switch {
		case a.Ours == b.Ours:
			return 0
		case a.Ours:
			return 1
		default:
			return -1
		}
	})
	for _, c := range all {
		var xys plotter.XYs
		for _, at := range c.Points {
			xys = append(xys, plotter.XY{X: float64(at.At), Y: at.Rate})
		}
		line, dots, err := plotter.NewLinePoints(xys)
		if err != nil {
			return nil, fmt.Errorf("curve %s: %w", c.Name, err)
		}
		if c.Ours {
			line.Color, line.Width, dots.Radius = oursInk[ours%len(oursInk)], 2.6, 3.2
			ours++
		} else {
			line.Color, line.Width, dots.Radius = peersInk[peers%len(peersInk)], 1.2, 2
			peers++
		}
		dots.Shape, dots.Color = draw.CircleGlyph{}, line.Color
		p.Add(line, dots)
		ends.entries = append(ends.entries, label{c.Name, xys[len(xys)-1], line.Color, c.Ours})
	}
	p.Add(ends)
	p.X.Min, p.X.Max = atX[0].Value, atX[len(atX)-1].Value
	p.Y.Min, p.Y.Max = low*0.85, high*1.15
	return p, nil
}

// ticks are 1, 2 and 5 times the powers of ten.
func ticks(low, high float64) (found []plot.Tick) {
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high*1.15; decade *= 10 {
		for _, times := range []float64{1, 2, 5} {
			if v := decade * times; v >= low*0.85 && v <= high*1.15 {
				found = append(found, plot.Tick{Value: v, Label: thousands(int(v)) + " "})
			}
		}
	}
	return found
}

// labels are names at the ends of curves, moved apart where they would overlap.
type labels struct {
	size    vg.Length
	entries []label
}

type label struct {
	name string
	end  plotter.XY
	ink  color.Color
	ours bool
}

// Plot implements plot.Plotter.
func (l labels) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	entries := slices.Clone(l.entries)
	slices.SortFunc(entries, func(a, b label) int { return int(math.Copysign(1, a.end.Y-b.end.Y)) })
	at := make([]vg.Length, len(entries))
	for i := range entries {
		at[i] = toY(entries[i].end.Y)
	}
	gap := l.size * 1.25
	for range 100 { // neighbours push each other until there is room
		for i := 1; i < len(at); i++ {
			if overlap := gap - (at[i] - at[i-1]); overlap > 0 {
				at[i-1], at[i] = at[i-1]-overlap/2, at[i]+overlap/2
			}
		}
		at[0] = max(at[0], c.Min.Y+l.size/2)
	}
	for i, e := range entries {
		s := style(l.size, e.ink)
		if e.ours {
			s.Font.Weight = 2 // bold
		}
		s.YAlign = draw.YCenter
		from := vg.Point{X: toX(e.end.X) + 4, Y: toY(e.end.Y)}
		to := vg.Point{X: toX(e.end.X) + 14, Y: at[i]}
		c.StrokeLine2(draw.LineStyle{Color: e.ink, Width: 0.6}, from.X, from.Y, to.X, to.Y)
		c.FillText(s, vg.Point{X: to.X + 3, Y: to.Y}, e.name)
	}
}
