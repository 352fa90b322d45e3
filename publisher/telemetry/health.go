package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/altinn-go/events/publisher/outbox"
)

// HealthConfig says what healthy is.
type HealthConfig struct {
	// Stats is that of the queue. Required.
	Stats func(context.Context) (outbox.Stats, error)

	// Relaying reports whether there is somebody to deliver events: Publisher.Relaying,
	// which a queue that cannot be worked through makes false, but not an endpoint that
	// takes nothing. Nil: not asked.
	Relaying func() bool

	// MaxAge is how old the oldest event may be that is not delivered. Defaults to
	// 15 min; -1 is no limit.
	//
	// Of a readiness probe it takes -1, and the age an alert: with a limit, an endpoint
	// that is down for as long makes every replica unready at once, though all of them
	// can still take requests and queue events.
	MaxAge time.Duration

	// Timeout bounds the look at the queue. Defaults to 2 s; -1 is no limit.
	Timeout time.Duration
}

// health is the answer.
type health struct {
	Status           string  `json:"status"` // "ok" or "failing"
	Reason           string  `json:"reason,omitempty"`
	Pending          int     `json:"pending"`
	Sending          int     `json:"sending"`
	Discarded        int     `json:"discarded"`
	OldestAgeSeconds float64 `json:"oldestAgeSeconds"`
	Relaying         bool    `json:"relaying"`
}

// Health returns a readiness check: 200 with the figures as JSON if the queue can be
// read, events are being delivered and none is older than MaxAge, and else 503 with
// the reason. It has no error text of the database, because probes are often public.
//
// With Echo: e.GET("/health/events", echo.WrapHandler(telemetry.Health(cfg))).
//
// It panics if cfg has no Stats.
func Health(cfg HealthConfig) http.Handler {
	if cfg.Stats == nil {
		panic("telemetry.Health: HealthConfig.Stats is nil, want the method of that name of a queue")
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 15 * time.Minute
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 2 * time.Second
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if cfg.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, cfg.Timeout)
			defer cancel()
		}
		h := health{Status: "ok", Relaying: cfg.Relaying == nil || cfg.Relaying()}
		s, err := cfg.Stats(ctx)
		age := ageOf(s)
		switch {
		case err != nil:
			h.Reason = "the queue cannot be read"
		case !h.Relaying:
			h.Reason = "no events are being delivered"
		case cfg.MaxAge > 0 && age > cfg.MaxAge:
			h.Reason = "the oldest event waits longer than " + cfg.MaxAge.String()
		}
		h.Pending, h.Sending, h.Discarded, h.OldestAgeSeconds = s.Pending, s.Sending, s.Discarded, age.Seconds()
		status := http.StatusOK
		if h.Reason != "" {
			h.Status, status = "failing", http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(h)
	})
}
