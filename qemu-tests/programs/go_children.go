// SPDX-License-Identifier: Apache-2.0
// qemu-tests/programs/go_children.go - Go's os/exec and its runtime: children at once from many goroutines, pipes, signals, statuses.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func many() {
	var wait sync.WaitGroup
	lines := make(chan string)
	for i := 0; i < 12; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			out, err := exec.Command("/bin/sh", "-c", fmt.Sprintf("echo child %02d; exit %d", i, i)).Output()
			var ended *exec.ExitError
			status := 0
			if errors.As(err, &ended) {
				status = ended.ExitCode()
			}
			lines <- fmt.Sprintf("%s status %d", strings.TrimSpace(string(out)), status)
		}(i)
	}
	go func() { wait.Wait(); close(lines) }()
	var all []string
	for line := range lines {
		all = append(all, line)
	}
	sort.Strings(all)
	fmt.Println(strings.Join(all, "\n"))
}

func pipes() {
	sorter := exec.Command("/bin/sort", "-r")
	in, err := sorter.StdinPipe()
	check(err)
	out, err := sorter.StdoutPipe()
	check(err)
	check(sorter.Start())
	go func() {
		for i := 0; i < 2000; i++ {
			fmt.Fprintf(in, "%05d\n", i*7919%2000)
		}
		in.Close()
	}()
	scanner, count, first, last := bufio.NewScanner(out), 0, "", ""
	for scanner.Scan() {
		if count == 0 {
			first = scanner.Text()
		}
		last = scanner.Text()
		count++
	}
	check(sorter.Wait())
	fmt.Println("sorted", count, first, last)
	read, write, err := os.Pipe()
	check(err)
	producer, consumer := exec.Command("/bin/seq", "1", "1000"), exec.Command("/bin/wc", "-l")
	producer.Stdout, consumer.Stdin = write, read
	var counted bytes.Buffer
	consumer.Stdout = &counted
	check(producer.Start())
	check(consumer.Start())
	write.Close()
	read.Close()
	check(producer.Wait())
	check(consumer.Wait())
	fmt.Println("counted", strings.TrimSpace(counted.String()))
}

func signals() {
	told := make(chan os.Signal, 8)
	signal.Notify(told, syscall.SIGUSR1, syscall.SIGCHLD)
	check(syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	fmt.Println("got", <-told)
	signal.Stop(told)
	sleeper := exec.Command("/bin/sleep", "600")
	check(sleeper.Start())
	check(sleeper.Process.Signal(syscall.SIGTERM))
	fmt.Println(sleeper.Wait())
	ended, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(ended, "/bin/sleep", "600").Run())
	group := exec.Command("/bin/sh", "-c", "sleep 600 & sleep 600 & echo started; wait")
	group.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := group.StdoutPipe()
	check(err)
	check(group.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(err)
	fmt.Print(line)
	check(syscall.Kill(-group.Process.Pid, syscall.SIGKILL))
	fmt.Println(group.Wait())
}

func attributes() {
	command := exec.Command("/bin/sh", "-c", "id -u; id -g; pwd; echo $ONLY; cat <&3; ls /proc/self/fd | wc -l")
	command.Dir, command.Env = "/tmp", []string{"ONLY=this", "PATH=/bin"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1001, NoSetGroups: false}, Setsid: true}
	read, write, err := os.Pipe()
	check(err)
	_, err = io.WriteString(write, "through the third\n")
	check(err)
	write.Close()
	command.ExtraFiles = []*os.File{read}
	out, err := command.CombinedOutput()
	check(err)
	fmt.Print(string(out))
	fmt.Println(exec.Command("/bin/none").Run())
	_, err = exec.LookPath("none")
	fmt.Println(err)
	command = exec.Command("/bin/sh", "-c", "kill -USR2 $$")
	fmt.Println(command.Run())
	fmt.Println(command.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

func main() {
	many()
	pipes()
	signals()
	attributes()
	// While others compute and collect garbage.
	stop := make(chan bool)
	for i := 0; i < 4; i++ {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = make([]byte, 1<<16)
				}
			}
		}()
	}
	for i := 0; i < 20; i++ {
		check(exec.Command("/bin/true").Run())
		runtime.GC()
	}
	close(stop)
	entries, err := os.ReadDir("/proc/self/task")
	check(err)
	fmt.Println("threads:", len(entries) > 1)
	check(syscall.Exec("/bin/sh", []string{"sh", "-c", "echo exec $0; exit 9"}, os.Environ()))
}
