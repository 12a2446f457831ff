// The workloads of loadgen on plain Go: goroutines and channels, no scripting layer.
//
//	go build -o FOLDER/channels channels.go
//	FOLDER/channels [--warmup] SCENARIO SIZE...
//
// Prints one line with the figures of each run. README.md says what each scenario does.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func main() {
	args := os.Args[1:]
	isWarmedUp := len(args) > 0 && args[0] == "--warmup"
	if isWarmedUp {
		args = args[1:]
	}
	if len(args) == 0 {
		fail("usage: channels [--warmup] SCENARIO SIZE...")
	}
	var sizes []int
	for _, text := range args[1:] {
		size, err := strconv.Atoi(text)
		if err != nil {
			fail("not a size: " + text)
		}
		sizes = append(sizes, size)
	}
	if isWarmedUp {
		run(args[0], sizes)
	}
	run(args[0], sizes)
}

func run(scenario string, sizes []int) {
	switch scenario {
	case "ping_pong":
		pingPong(sizes)
	case "fan_in":
		fanIn(sizes)
	case "ring":
		ring(sizes)
	case "spawn":
		spawn(sizes)
	case "skynet":
		skynet(sizes)
	case "idle_memory":
		idleMemory(sizes)
	case "steal":
		steal(sizes)
	default:
		fail("no such scenario: " + scenario)
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(2)
}

func timed(name string, count int, work func()) {
	started := time.Now()
	work()
	micros := float64(time.Since(started).Nanoseconds()) / 1000
	rate := float64(count) / micros
	fmt.Printf("%s n=%d time_ms=%.1f rate=%.3f M/s\n", name, count, micros/1000, rate)
}

func pingPong(sizes []int) {
	pairs, rounds := sizes[0], sizes[1]
	timed("ping_pong", 2*pairs*rounds, func() {
		var all sync.WaitGroup
		all.Add(2 * pairs)
		for i := 0; i < pairs; i++ {
			requests, answers := make(chan int, 64), make(chan int, 64)
			go ask(requests, answers, rounds, &all)
			go answer(requests, answers, rounds, &all)
		}
		all.Wait()
	})
}

func ask(requests chan<- int, answers <-chan int, rounds int, all *sync.WaitGroup) {
	defer all.Done()
	for round := 0; round < rounds; round++ {
		requests <- round
		<-answers
	}
}

func answer(requests <-chan int, answers chan<- int, rounds int, all *sync.WaitGroup) {
	defer all.Done()
	for i := 0; i < rounds; i++ {
		answers <- <-requests
	}
}

func fanIn(sizes []int) {
	senders, count := sizes[0], sizes[1]
	timed("fan_in", senders*count, func() {
		sink := make(chan int, 1024)
		for i := 0; i < senders; i++ {
			go func() {
				for number := 0; number < count; number++ {
					sink <- number
				}
			}()
		}
		for i := 0; i < senders*count; i++ {
			<-sink
		}
	})
}

func ring(sizes []int) {
	size, hops := sizes[0], sizes[1]
	timed("ring", hops, func() {
		first, done := make(chan int, 1), make(chan bool)
		in := first
		for place := 0; place < size; place++ {
			out := first
			if place < size-1 {
				out = make(chan int, 1)
			}
			go pass(in, out, done)
			in = out
		}
		first <- hops
		<-done
	})
}

// pass hands the token on with one hop less; it ends with the program.
func pass(in <-chan int, out chan<- int, done chan<- bool) {
	for left := range in {
		if left == 0 {
			done <- true
			return
		}
		out <- left - 1
	}
}

func spawn(sizes []int) {
	count := sizes[0]
	timed("spawn", count, func() {
		ends := make(chan int, 1024)
		go func() {
			for i := 0; i < count; i++ {
				go func() { ends <- 1 }()
			}
		}()
		for i := 0; i < count; i++ {
			<-ends
		}
	})
}

func skynet(sizes []int) {
	leaves := sizes[0]
	timed("skynet", leaves, func() {
		sums := make(chan int)
		go tree(sums, 0, leaves)
		if sum := <-sums; sum != leaves*(leaves-1)/2 {
			fail(fmt.Sprint("skynet: wrong sum ", sum))
		}
	})
}

func tree(parent chan<- int, first, leaves int) {
	if leaves == 1 {
		parent <- first
		return
	}
	parts, share := make(chan int), leaves/10
	for child := 0; child < 10; child++ {
		go tree(parts, first+child*share, share)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-parts
	}
	parent <- sum
}

func idleMemory(sizes []int) {
	count := sizes[0]
	runtime.GC()
	before := residentBytes()
	wakers := make([]chan int, count)
	for index := range wakers {
		waker := make(chan int, 1)
		wakers[index] = waker
		go func() { <-waker }()
	}
	time.Sleep(500 * time.Millisecond)
	growth := residentBytes() - before
	fmt.Printf("idle_memory n=%d rss_per_process=%.1f B\n", count, growth/float64(count))
	runtime.KeepAlive(wakers)
}

// residentBytes counts pages of 4096 bytes, as the machines have that this is for.
func residentBytes() float64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fail(err.Error())
	}
	var total, resident int
	fmt.Sscan(string(content), &total, &resident)
	return float64(resident) * 4096
}

func steal(sizes []int) {
	tasks, n := sizes[0], sizes[1]
	timed("steal", tasks, func() {
		results := make(chan int, tasks)
		for i := 0; i < tasks; i++ {
			go func() { results <- fib(n) }()
		}
		for i := 0; i < tasks; i++ {
			<-results
		}
	})
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}
