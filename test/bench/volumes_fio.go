package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"
)

// load is what fio does to a volume.
type load struct {
	rw    string // as fio calls it
	block int    // bytes
	depth int
	fsync bool
	// once: every sub-block is written to once, in random order, instead of anything as long as there
	// is time. How is in a log that fio replays: by itself it would write to some twice.
	once string
}

// subBlock is the unit in which a clone copies, ours and qcow2's alike.
const subBlock = 64 << 10

func (l load) args(uri string, d time.Duration) []string {
	args := []string{"--name=load", "--ioengine=nbd", "--uri=" + uri, "--output-format=json",
		fmt.Sprintf("--iodepth=%d", l.depth), fmt.Sprintf("--runtime=%dms", d.Milliseconds())}
	if l.once != "" {
		return append(args, "--read_iolog="+l.once, "--replay_no_stall=1")
	}
	args = append(args, "--rw="+l.rw, fmt.Sprintf("--bs=%d", l.block), "--randrepeat=0")
	if l.fsync {
		args = append(args, "--fsync=1")
	}
	// The first moments are those of the connection and of caches that fill: not counted.
	return append(args, "--time_based", fmt.Sprintf("--ramp_time=%dms", d.Milliseconds()/4), "--norandommap")
}

// result is what one measurement gave.
type result struct {
	iops  float64
	bytes float64       // per second
	cpu   time.Duration // of all processes of the server, per request
	fio   time.Duration // of the client, per request
	p99   time.Duration
}

// fioReport is the part of fio's report that is read.
type fioReport struct {
	Jobs []struct {
		Error int `json:"error"`
		// Processor time in percent of the time that the job ran, in ms.
		User    float64 `json:"usr_cpu"`
		System  float64 `json:"sys_cpu"`
		Runtime float64 `json:"job_runtime"`

		Read  fioSum `json:"read"`
		Write fioSum `json:"write"`
	} `json:"jobs"`
}

type fioSum struct {
	IOPS    float64       `json:"iops"`
	Bytes   float64       `json:"bw_bytes"`
	Total   float64       `json:"total_ios"`
	busy    time.Duration // processor time of the job
	Latency struct {
		Percentile map[string]float64 `json:"percentile"`
	} `json:"clat_ns"`
}

// measure runs fio on an export.
func (l load) measure(ctx context.Context, e *export, d time.Duration) (result, error) {
	before, err := totalTimes(e.pids)
	if err != nil {
		return result{}, err
	}
	sum, err := runFio(ctx, l.args(e.uri, d))
	if err != nil {
		return result{}, err
	}
	after, err := totalTimes(e.pids)
	if err != nil {
		return result{}, err
	}
	r := result{iops: sum.IOPS, bytes: sum.Bytes, p99: time.Duration(sum.Latency.Percentile["99.000000"])}
	if sum.Total > 0 {
		r.fio = sum.busy / time.Duration(sum.Total)
	}
	// The processes have worked in the ramp, too.
	if n := sum.Total; n > 0 {
		if l.once == "" {
			n *= 1.25
		}
		r.cpu = (after - before) / time.Duration(n)
	}
	return r, nil
}

// runFio runs fio and adds up its jobs.
func runFio(ctx context.Context, args []string) (fioSum, error) {
	var report fioReport
	cmd := exec.CommandContext(ctx, "fio", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fioSum{}, fmt.Errorf("fio %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	// Warnings come before the report.
	if i := bytes.IndexByte(out, '{'); i > 0 {
		out = out[i:]
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fioSum{}, fmt.Errorf("fio's report: %w", err)
	}
	var sum fioSum
	for _, j := range report.Jobs {
		if j.Error != 0 {
			return sum, fmt.Errorf("fio %s: job failed with %d", strings.Join(args, " "), j.Error)
		}
		one := j.Read
		if j.Write.Total > j.Read.Total {
			one = j.Write
		}
		sum.IOPS += one.IOPS
		sum.Bytes += one.Bytes
		sum.Total += one.Total
		sum.busy += time.Duration((j.User + j.System) / 100 * j.Runtime * float64(time.Millisecond))
		sum.Latency = one.Latency
	}
	if sum.Total == 0 {
		return sum, errors.New("fio did nothing")
	}
	return sum, nil
}

// writeOnceLog writes a log of a 4 KiB write to each sub-block of a volume, in an order that is
// random and always the same, for fio to replay.
func writeOnceLog(path string, size int64) error {
	const file = "load.0.0" // what fio calls the one file of the job "load"
	var b bytes.Buffer
	fmt.Fprintf(&b, "fio version 2 iolog\n%s add\n%s open\n", file, file)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(int(size / subBlock)) {
		fmt.Fprintf(&b, "%s write %d 4096\n", file, i*subBlock)
	}
	fmt.Fprintf(&b, "%s close\n", file)
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// writeHalf writes 4 KiB into every second sub-block of an export.
func writeHalf(ctx context.Context, uri string) error {
	_, err := runFio(ctx, []string{"--name=half", "--ioengine=nbd", "--uri=" + uri, "--output-format=json",
		fmt.Sprintf("--rw=write:%d", 2*subBlock-4096), "--bs=4096", "--iodepth=16"})
	return err
}
