package main

import (
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/altinn-go/events/testutil"
)

// sinkAccepts is goal 12: POST /app accepted per second, by the sink and by a bare
// handler that reads and answers the same. Both are in this process, and so is
// their client.
func sinkAccepts(l *lab) (figure, error) {
	sink, err := testutil.StartSink(testutil.SinkConfig{})
	if err != nil {
		return figure{}, err
	}
	defer sink.Close()
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Location", "/party/50019855")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, endpointAnswer)
	}))
	defer bare.Close()
	item, err := encoded()
	if err != nil {
		return figure{}, err
	}
	user, err := sink.Token(testutil.TokenSpec{})
	if err != nil {
		return figure{}, err
	}
	platform, err := sink.Token(testutil.TokenSpec{Kind: testutil.TokenPlatform})
	if err != nil {
		return figure{}, err
	}
	post := func(url string) func() error {
		return netHTTPWith(url, tuned(inFlight), item.Body, user, platform)
	}
	r, err := l.run(contest{
		subject: crowd(post(sink.URL())), peer: crowd(post(bare.URL)), clock: wallTime, n: 2000,
	})
	return r.inverse().figure(), err
}
