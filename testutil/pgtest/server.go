package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a private PostgreSQL server.
type Server struct {
	folder     string // of everything
	initdb     string
	postgres   string
	credential *syscall.Credential // nil to run as ourselves
	process    *exec.Cmd
	exited     chan struct{}
	stop       chan struct{} // closed to let the thread go that the process belongs to
}

// errNoBinaries says that there is no PostgreSQL on this machine.
var errNoBinaries = errors.New("no initdb and postgres in PATH or /usr/lib/postgresql/*/bin")

// newServer makes the files of a server.
func newServer() (s *Server, err error) {
	s = &Server{}
	if s.initdb, s.postgres, err = findBinaries(); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.folder)
		}
	}()
	if os.Getuid() == 0 {
		if s.credential, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(s.folder, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			return nil, err
		}
	}
	init := s.command(s.initdb, "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:noctx // it ends with Stop
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// URL returns the address of a database on the server.
func (s *Server) URL(database string) string {
	return "postgres:///" + database + "?host=" + url.QueryEscape(s.folder) + "&user=postgres"
}

// start starts the server and waits until it answers. What is committed survives
// the death of processes, and not that of the machine: fsync is off.
func (s *Server) start(ctx context.Context) error {
	s.process = s.command(s.postgres, "-D", s.data(), "-k", s.folder, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "max_connections=400", "-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal")
	s.process.SysProcAttr.Setpgid = true // Ctrl-C is for the tests alone
	s.process.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log

	process, exited, stop := s.process, make(chan struct{}), make(chan struct{})
	s.exited, s.stop = exited, stop
	started := make(chan error)
	go func() {
		// The death signal is sent when the thread ends that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- process.Start()
		<-stop
	}()
	if err := <-started; err != nil {
		close(s.stop)
		return err
	}
	go func() {
		_ = process.Wait()
		close(exited)
	}()
	if err := s.awaitReady(ctx); err != nil {
		s.Stop()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

// awaitReady waits until the server says in its folder that it is ready.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		status, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		if strings.Contains(string(status), "ready") && strings.Contains(string(status), strconv.Itoa(s.process.Process.Pid)+"\n") {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-s.exited:
			return errors.New("postgres ended at once")
		case <-ctx.Done():
			return fmt.Errorf("postgres is not ready: %w", context.Cause(ctx))
		}
	}
}

// Stop cuts all connections and stops the server at once, as a crash does; what
// was committed is there after Start.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	close(s.stop)
	s.process = nil
}

// Start starts the server again after Stop.
func (s *Server) Start(ctx context.Context) error { return s.start(ctx) }

// remove stops the server and deletes its files.
func (s *Server) remove() {
	s.Stop()
	_ = os.RemoveAll(s.folder)
}

// findBinaries returns the paths of initdb and postgres, of the newest version if
// there are several.
func findBinaries() (initdb, postgres string, err error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		folders = append([]string{filepath.Dir(path)}, folders...)
	}
	for _, folder := range folders {
		initdb, postgres = filepath.Join(folder, "initdb"), filepath.Join(folder, "postgres")
		_, missing := os.Stat(initdb)
		if _, err := os.Stat(postgres); missing == nil && err == nil {
			return initdb, postgres, nil
		}
	}
	return "", "", errNoBinaries
}

func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// unprivileged is a user for PostgreSQL to run as in place of root.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}
