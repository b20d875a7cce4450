// What Go reads in bodies and queries: one a line, in base64, behind "b" or "q"; one line of JSON for each.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

type call struct {
	Job   *int64 `json:"job_id"`
	Queue *struct {
		Enabled *bool `json:"enabled"`
	} `json:"queue"`
	Target *string `json:"performance_target"`
	Token  *string `json:"idempotency_token"`
	Tasks  []struct {
		Notebook *struct {
			Path *string `json:"notebook_path"`
		} `json:"notebook_task"`
	} `json:"tasks"`
}

type quoted struct {
	Job   *int64 `json:"job_id,string"`
	Queue *struct {
		Enabled *bool `json:"enabled,string"`
	} `json:"queue"`
}

type reading struct {
	Job     *int64   `json:"job_id"`
	Enabled *bool    `json:"enabled"`
	Target  *string  `json:"target"`
	Token   *string  `json:"token"`
	Paths   []string `json:"paths"`
}

func bodies(raw []byte) []reading {
	found := []reading{}
	for _, stream := range []bool{false, true} { // a decoder of a stream stops behind the first value
		read := func(into interface{}) error {
			if stream {
				return json.NewDecoder(bytes.NewReader(raw)).Decode(into)
			}
			return json.Unmarshal(raw, into)
		}
		var typed call
		if read(&typed) == nil {
			one := reading{Job: typed.Job, Target: typed.Target, Token: typed.Token}
			if typed.Queue != nil {
				one.Enabled = typed.Queue.Enabled
			}
			for _, task := range typed.Tasks {
				if task.Notebook != nil && task.Notebook.Path != nil {
					one.Paths = append(one.Paths, *task.Notebook.Path)
				}
			}
			found = append(found, one)
		}
		var text quoted
		if read(&text) == nil {
			one := reading{Job: text.Job}
			if text.Queue != nil {
				one.Enabled = text.Queue.Enabled
			}
			found = append(found, one)
		}
		var open map[string]interface{}
		if read(&open) == nil {
			one := reading{}
			switch job := open["job_id"].(type) {
			case float64:
				number := int64(job)
				one.Job = &number
			case string:
				if number, err := strconv.ParseInt(strings.TrimSpace(job), 0, 64); err == nil {
					one.Job = &number
				}
			}
			found = append(found, one)
		}
	}
	return found
}

func queries(raw []byte) []map[string][]string {
	found := []map[string][]string{}
	values, _ := url.ParseQuery(string(raw))
	found = append(found, values)
	if parsed, err := url.Parse("https://h/p?" + string(raw)); err == nil {
		found = append(found, parsed.Query())
	}
	return found
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		raw, _ := base64.StdEncoding.DecodeString(line[1:])
		var written []byte
		if line[0] == 'b' {
			written, _ = json.Marshal(bodies(raw))
		} else {
			written, _ = json.Marshal(queries(raw))
		}
		fmt.Println(string(written))
	}
}
