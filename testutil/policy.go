package testutil

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// The actions that the service asks the policy about.
const (
	// ActionPublish is POST /events.
	ActionPublish = "publish"
	// ActionRead is to query, subscribe to and be pushed events of apps.
	ActionRead = "read"
	// ActionSubscribe is the same for all other events.
	ActionSubscribe = "subscribe"
)

// Decision is the answer of a policy.
type Decision string

// The two decisions.
const (
	Permit Decision = "permit"
	Deny   Decision = "deny"
)

// PolicyRule decides about requests. An empty member matches anything; of several
// rules that match, the first holds.
type PolicyRule struct {
	// Consumer is who asks, such as "/org/skd".
	Consumer string `json:"consumer,omitempty"`
	// Resource is the URN of the event's resource.
	Resource string `json:"resource,omitempty"`
	// Action is ActionPublish, ActionRead or ActionSubscribe.
	Action string `json:"action,omitempty"`
	// Decision is Permit or Deny.
	Decision Decision `json:"decision"`
}

// SetPolicy replaces the policy. See SinkConfig.Policy. The error names every rule
// that cannot be meant; the policy is unchanged then.
func (s *Sink) SetPolicy(rules []PolicyRule) error {
	if err := validatePolicy(rules); err != nil {
		return err
	}
	s.policy.set(rules)
	return nil
}

// ParsePolicy reads a policy from JSON, strictly: an array of objects with the
// members of PolicyRule. The error says where and what.
func ParsePolicy(data []byte) ([]PolicyRule, error) {
	var rules []PolicyRule
	if err := decodeStrict(data, &rules); err != nil {
		return nil, err
	}
	return rules, validatePolicy(rules)
}

func validatePolicy(rules []PolicyRule) error {
	var faults []error
	for i, rule := range rules {
		if rule.Decision != Permit && rule.Decision != Deny {
			faults = append(faults, fmt.Errorf("policy rule %d: decision is %q, want %q or %q", i, rule.Decision, Permit, Deny))
		}
		switch rule.Action {
		case "", ActionPublish, ActionRead, ActionSubscribe:
		default:
			faults = append(faults, fmt.Errorf("policy rule %d: action is %q, want %q, %q, %q or none", i, rule.Action,
				ActionPublish, ActionRead, ActionSubscribe))
		}
	}
	return errors.Join(faults...)
}

// policy is the sink's policy decision point. Without rules it permits everything.
type policy struct {
	mu    sync.RWMutex
	rules []PolicyRule
}

func (p *policy) set(rules []PolicyRule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = slices.Clone(rules)
}

// permits decides whether consumer may do action on resource.
func (p *policy) permits(consumer, resource, action string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, rule := range p.rules {
		if (rule.Consumer == "" || rule.Consumer == consumer) &&
			(rule.Resource == "" || rule.Resource == resource) &&
			(rule.Action == "" || rule.Action == action) {
			return rule.Decision == Permit
		}
	}
	return true
}
