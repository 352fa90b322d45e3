package middleware_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

func TestEncodedAnswers(t *testing.T) {
	t.Parallel()
	encoders := map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"stored gzip": func(w io.Writer) io.WriteCloser {
			zw, _ := gzip.NewWriterLevel(w, gzip.NoCompression)
			return zw
		},
		"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
		"raw deflate": func(w io.Writer) io.WriteCloser {
			fw, _ := flate.NewWriter(w, flate.BestSpeed)
			return fw
		},
		"identity": func(w io.Writer) io.WriteCloser { return nopCloser{w} },
		"br":       func(w io.Writer) io.WriteCloser { return nopCloser{w} },
	}
	for _, tc := range []struct {
		name, encoding, body string
		limit                int
		change               func([]byte) []byte
		fault                string
	}{
		{"Gzip", "gzip", instanceJSON, 0, nil, ""},
		{"Deflate", "deflate", instanceJSON, 0, nil, ""},
		{"RawDeflate", "raw deflate", instanceJSON, 0, nil, ""},
		{"Identity", "identity", instanceJSON, 0, nil, ""},
		{"Unknown", "br", instanceJSON, 0, nil, `"br"`},
		{"BeyondTheBoundEncoded", "stored gzip", string(long(1000)), 200, nil, ""},
		{"BeyondTheBoundDecoded", "gzip", instanceJSON + strings.Repeat(" ", 1<<20), 5_000, nil, ""},
		{"TellsBeyondTheBound", "gzip", strings.Repeat(" ", 1<<20) + instanceJSON, 5_000, nil, "5000 bytes"},
		{"NoGzip", "gzip", instanceJSON, 0, func([]byte) []byte { return []byte("plain") }, "content encoding"},
		{"Truncated", "gzip", instanceJSON, 0, func(b []byte) []byte { return b[:len(b)-1] }, "content encoding"},
		{"Damaged", "gzip", instanceJSON, 0, func(b []byte) []byte { b[len(b)-5] ^= 1; return b }, "content encoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var encoded bytes.Buffer
			w := encoders[tc.encoding](&encoded)
			if _, err := io.WriteString(w, tc.body); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			body := encoded.Bytes()
			if tc.change != nil {
				body = tc.change(body)
			}
			b := setup(t, middleware.AppLifecycleConfig{MaxResponseBytes: tc.limit})
			rec := b.create(func(c echo.Context) error {
				c.Response().Header().Set(echo.HeaderContentEncoding, tc.encoding[strings.LastIndexByte(tc.encoding, ' ')+1:])
				return c.JSONBlob(201, body)
			})
			if rec.Code != 201 || !bytes.Equal(rec.Body.Bytes(), body) {
				t.Errorf("answer is %d with %d bytes", rec.Code, rec.Body.Len())
			}
			faulty(t, b.observed, tc.fault)
			if tc.fault == "" {
				equal(t, b.pub.types(), []string{models.TypeInstanceCreated})
			} else {
				equal(t, b.pub.types(), nil)
			}
		})
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// TestCompressionInside mounts the lifecycle around a middleware that
// compresses, as Echo's Gzip does.
func TestCompressionInside(t *testing.T) {
	t.Parallel()
	b := setup(t, middleware.AppLifecycleConfig{})
	b.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			res := c.Response()
			zw := gzip.NewWriter(res.Writer)
			defer zw.Close()
			res.Header().Set(echo.HeaderContentEncoding, "gzip")
			res.Writer = &compressing{wrapped{res.Writer}, zw}
			return next(c)
		}
	})
	rec := b.create(func(c echo.Context) error {
		if err := middleware.Emit(c, app.Event(approved, other())); err != nil {
			return err
		}
		return serve(201, instanceJSON)(c)
	})
	zr, err := gzip.NewReader(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(zr); err != nil || string(body) != instanceJSON {
		t.Errorf("body is %s, %v", body, err)
	}
	equal(t, b.pub.types(), []string{approved, models.TypeInstanceCreated})
}

type compressing struct {
	wrapped

	zw *gzip.Writer
}

func (c *compressing) Write(b []byte) (int, error) { return c.zw.Write(b) }
