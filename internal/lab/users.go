package lab

import (
	"crypto/rand"
	"encoding/csv"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User is somebody whom the API server knows by a token. Without a group or a binding it may do nothing.
type User struct {
	Name   string
	Groups []string
}

// The users that every cluster has. Administrator may do everything; the others start with no rights at all, so a
// test binds to Paramedic exactly the role that it is to prove, and Outsider stays without.
const (
	Administrator = "administrator"
	Paramedic     = "paramedic"
	Outsider      = "outsider"
)

const (
	controllerManagerUser = "system:kube-controller-manager"
	schedulerUser         = "system:kube-scheduler"
	kwokUser              = "system:kwok"
	mastersGroup          = "system:masters"
)

// standingUsers are the users of every cluster. The components have names of their own so that the audit log tells
// their changes from a test's.
func standingUsers() []User {
	return []User{
		{Name: Administrator, Groups: []string{mastersGroup}},
		{Name: controllerManagerUser, Groups: []string{mastersGroup}},
		{Name: schedulerUser, Groups: []string{mastersGroup}},
		{Name: kwokUser, Groups: []string{mastersGroup}},
		{Name: Paramedic},
		{Name: Outsider},
	}
}

// credentials are the tokens of the users and their kubeconfigs.
type credentials struct {
	url       string
	caPEM     []byte
	tokens    map[string]string
	folder    string
	tokenFile string
}

// makeCredentials gives every user a token and a kubeconfig.
func makeCredentials(folder, server string, caPEM []byte, users []User) (*credentials, error) {
	c := &credentials{
		url: server, caPEM: caPEM, folder: folder,
		tokens:    make(map[string]string, len(users)),
		tokenFile: filepath.Join(folder, "tokens.csv"),
	}
	file, err := os.OpenFile(c.tokenFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	defer func() { _ = file.Close() }() // a second close, for the paths that return early
	out := csv.NewWriter(file)
	for i, user := range users {
		if user.Name == "" || c.tokens[user.Name] != "" {
			return nil, fmt.Errorf("lab: user %d, %q: every user needs a name of its own; %s, %s and %s exist", i, user.Name, Administrator, Paramedic, Outsider)
		}
		c.tokens[user.Name] = rand.Text()
		line := []string{c.tokens[user.Name], user.Name, strconv.Itoa(i)}
		if len(user.Groups) > 0 {
			line = append(line, strings.Join(user.Groups, ","))
		}
		if err := out.Write(line); err != nil {
			return nil, fmt.Errorf("token file: %w", err)
		}
		if err := clientcmd.WriteToFile(c.kubeconfig(user.Name), c.kubeconfigFile(user.Name)); err != nil {
			return nil, fmt.Errorf("kubeconfig of %s: %w", user.Name, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	return c, nil
}

func (c *credentials) kubeconfigFile(user string) string {
	return filepath.Join(c.folder, url.PathEscape(user)+".kubeconfig")
}

func (c *credentials) kubeconfig(user string) clientcmdapi.Config {
	const name = "lab"
	return clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: c.url, CertificateAuthorityData: slices.Clone(c.caPEM)}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {Token: c.tokens[user]}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: user}},
		CurrentContext: name,
	}
}

func (c *credentials) config(user string) *rest.Config {
	return &rest.Config{
		Host:            c.url,
		BearerToken:     c.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: slices.Clone(c.caPEM)},
		QPS:             -1, // the client's own throttling would only slow the tests
	}
}

// known tells an unknown user, which would otherwise get an empty token and be refused far from here.
func (c *credentials) known(user string) error {
	if c.tokens[user] == "" {
		return fmt.Errorf("lab: user %q is not in the token file; name it in Options.Users", user)
	}
	return nil
}
