package receiver_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/receiver"
)

const (
	benchConnections = 64
	benchRounds      = 8
	benchSlice       = 250 * time.Millisecond
)

// BenchmarkDeliveries measures deliveries of one alert, each synced to disk
// before its 202, at 64 connections: as a ratio to an echo handler that only
// reads the body, and to the same receiver publishing each delivery by itself.
// The load is made in the same process and its cost is in all three. They take
// turns, and the medians of the rounds' ratios are reported, as other work on
// the machine comes and goes; echo-p99-ms says what of the latency is not ours.
func BenchmarkDeliveries(b *testing.B) {
	plain := echo.New()
	plain.POST("/v1/webhooks/:source", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.Blob(http.StatusAccepted, "application/json", []byte("{\"delivery\":\"0123456789abcdef\",\"alerts\":1}\n"))
	})
	echoAt := serveBench(b, plain)
	groupAt := serveBench(b, benchReceiver(b, 0).Handler())
	singleAt := serveBench(b, benchReceiver(b, 1).Handler())
	var rates, echoes, singles, toEcho, toSingle []float64
	var took, echoTook []time.Duration
	for b.Loop() {
		for range benchRounds {
			echoRate, t := load(b, echoAt)
			echoTook = append(echoTook, t...)
			rate, t := load(b, groupAt)
			took = append(took, t...)
			single, _ := load(b, singleAt)
			rates, echoes, singles = append(rates, rate), append(echoes, echoRate), append(singles, single)
			toEcho, toSingle = append(toEcho, rate/echoRate), append(toSingle, rate/single)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(rates, .5), "deliveries/s")
	b.ReportMetric(quantile(echoes, .5), "echo/s")
	b.ReportMetric(quantile(singles, .5), "single/s")
	b.ReportMetric(quantile(toEcho, .5), "ratio-to-echo")
	b.ReportMetric(quantile(toSingle, .5), "ratio-to-single")
	b.ReportMetric(1000*quantile(took, .5).Seconds(), "p50-ms")
	b.ReportMetric(1000*quantile(took, .99).Seconds(), "p99-ms")
	b.ReportMetric(1000*quantile(echoTook, .99).Seconds(), "echo-p99-ms")
}

func quantile[T cmp.Ordered](all []T, q float64) T {
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

func benchReceiver(b *testing.B, maxGroup int) *receiver.Receiver {
	b.Helper()
	o := options(openBus(b), io.Discard, prometheus.NewRegistry())
	o.Log, o.Now, o.MaxGroup = slog.New(slog.DiscardHandler), time.Now, maxGroup
	var n atomic.Int64
	o.IDs = func() string { return strconv.FormatInt(n.Add(1), 36) }
	rx, err := receiver.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := rx.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return rx
}

func serveBench(b *testing.B, h http.Handler) string {
	b.Helper()
	server, err := receiver.NewServer(receiver.ServerOptions{Handler: h, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	b.Cleanup(func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			b.Error(err)
		}
	})
	return listener.Addr().String()
}

// load sends for a while from all connections and returns the rate a second and
// how long each took.
func load(b *testing.B, address string) (float64, []time.Duration) {
	b.Helper()
	text := `{"receiver":"paramedic","status":"firing","alerts":[` + element(1, "The instance has been down for more than five minutes.") +
		`],"groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","severity":"critical"},` +
		`"commonAnnotations":{},"externalURL":"http://alertmanager.test:9093","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0}`
	request := fmt.Appendf(nil, "POST /v1/webhooks/am HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", token, len(text), text)
	took := make([][]time.Duration, benchConnections)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range benchConnections {
		wg.Go(func() {
			var err error
			if took[i], err = sender(address, request, began.Add(benchSlice)); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(took...)
	return float64(len(all)) / time.Since(began).Seconds(), all
}

// sender is as cheap as a client can be: ready bytes out, and in until the end
// of the small answer.
func sender(address string, request []byte, until time.Time) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	var took []time.Duration
	answer := make([]byte, 4096)
	for sent := time.Now(); sent.Before(until); {
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		n := 0
		for !bytes.HasSuffix(answer[:n], []byte("}\n")) {
			m, err := conn.Read(answer[n:])
			if err != nil {
				return nil, err
			}
			n += m
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 202")) {
			return nil, fmt.Errorf("answered %q", answer[:n])
		}
		now := time.Now()
		took, sent = append(took, now.Sub(sent)), now
	}
	return took, nil
}
