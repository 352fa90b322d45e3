package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// endpointAnswer is what POST /app answers with.
const endpointAnswer = `"4815d141-8cf6-4555-8c3c-e069c7b80c79"`

// slowPath makes the endpoint answer after slowAnswer.
const (
	slowPath   = "/slow"
	slowAnswer = 20 * time.Millisecond
)

// connectionsPath answers with the number of connections so far.
const connectionsPath = "/connections"

// endpoint is a process of its own that takes every event, so that its CPU is not
// counted as ours.
type endpoint struct {
	url     string
	process *exec.Cmd
	input   io.Closer
}

// startEndpoint starts this program again, as the endpoint. It ends when its
// standard input does.
func startEndpoint(ctx context.Context) (*endpoint, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "endpoint")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the endpoint said no address: %w", err)
	}
	return &endpoint{url: strings.TrimSpace(address), process: cmd, input: input}, nil
}

func (e *endpoint) stop() error {
	return errors.Join(e.input.Close(), e.process.Wait())
}

// connections returns how many connections the endpoint has taken so far.
func (e *endpoint) connections() (int, error) {
	resp, err := http.Get(e.url + connectionsPath) //nolint:noctx // loopback
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// serveEndpoint is the other process. It shares the machine with the clients, so it
// does no more than it must: what it costs draws all that is compared together.
func serveEndpoint() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the process
	if err != nil {
		return err
	}
	debug.SetGCPercent(800)
	var connections atomic.Int64
	contentType, noDate := []string{"application/json; charset=utf-8"}, []string(nil)
	answer := []byte(endpointAnswer)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == connectionsPath {
				_, _ = fmt.Fprint(w, connections.Load())
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if strings.HasPrefix(r.URL.Path, slowPath) {
				<-time.After(slowAnswer)
			}
			h := w.Header()
			h["Content-Type"], h["Date"] = contentType, noDate
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(answer)
		}),
		ReadHeaderTimeout: time.Minute,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
	}
	if _, err := fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
