package credentials

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// KeyFileConfig names the files of a key. They may change while the program runs.
type KeyFileConfig struct {
	// Path is the file of the private key: PEM, which may have the certificates too,
	// a JWK, or PKCS #12.
	Path string

	// CertificatePath is a PEM file with the key's certificates, if Path is PEM
	// without them.
	CertificatePath string

	// Password decrypts PKCS #12. PasswordPath is a file that has it instead, whose
	// end of line is not part of it.
	Password     string
	PasswordPath string

	// Logger gets a warning when files have changed and make no key, once for each
	// change. Nil is silent.
	Logger *slog.Logger
}

// Format prints REDACTED, whatever the verb.
func (c KeyFileConfig) Format(f fmt.State, r rune) { hidden{}.Format(f, r) }

// LogValue returns REDACTED.
func (c KeyFileConfig) LogValue() slog.Value { return hidden{}.LogValue() }

// MarshalText returns REDACTED.
func (c KeyFileConfig) MarshalText() ([]byte, error) { return hidden{}.MarshalText() }

// KeyFile returns the key of files. They are read now, and again whenever a token is
// made: a rotated key is used from the next token on, without a restart, also where
// a mounted secret is swapped by a link. While they make no key, half written
// perhaps, the last one is used.
//
// The error says which file cannot be read, or what is wrong with its key.
func KeyFile(cfg KeyFileConfig) (KeySource, error) {
	f := &keyFile{cfg: cfg}
	if cfg.Logger == nil {
		f.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sum, key, err := f.read()
	if err != nil {
		return nil, err
	}
	f.sum, f.key = sum, key
	return f, nil
}

type keyFile struct {
	hidden

	cfg KeyFileConfig

	mu     sync.Mutex
	sum    [sha256.Size]byte // of what key was made of
	key    *Key
	failed string // what was warned of
}

// Key returns the key that the files hold now, or else the last that they held.
func (f *keyFile) Key() (*Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum, key, err := f.read()
	switch {
	case err != nil:
		if f.failed != err.Error() {
			f.failed = err.Error()
			f.cfg.Logger.Warn("The changed files make no key; going on with the last one", slog.String("error", f.failed))
		}
		return f.key, nil
	case sum != f.sum:
		f.sum, f.key = sum, key
	}
	f.failed = ""
	return f.key, nil
}

// read returns the key of the files, and the sum of their content. If that has not
// changed there is no key.
func (f *keyFile) read() (sum [sha256.Size]byte, key *Key, err error) {
	password := f.cfg.Password
	if f.cfg.PasswordPath != "" {
		text, err := os.ReadFile(f.cfg.PasswordPath)
		if err != nil {
			return sum, nil, fmt.Errorf("key password: %w", err)
		}
		password = strings.TrimRight(string(text), "\r\n")
	}
	data, err := os.ReadFile(f.cfg.Path)
	if err != nil {
		return sum, nil, fmt.Errorf("key: %w", err)
	}
	if f.cfg.CertificatePath != "" {
		certificates, err := os.ReadFile(f.cfg.CertificatePath)
		if err != nil {
			return sum, nil, fmt.Errorf("key certificate: %w", err)
		}
		data = bytes.Join([][]byte{data, certificates}, []byte("\n"))
	}
	sum = sha256.Sum256(bytes.Join([][]byte{data, []byte(password)}, []byte{0}))
	if f.key != nil && sum == f.sum {
		return sum, nil, nil
	}
	key, err = ParseKey(data, password)
	if err != nil {
		return sum, nil, fmt.Errorf("%s: %w", f.cfg.Path, err)
	}
	return sum, key, nil
}
