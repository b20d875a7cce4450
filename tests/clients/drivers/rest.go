// Go's net/http, which the Databricks CLI and Terraform's provider are made with: `go run rest.go PATH`.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	request, err := http.NewRequest("GET", "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"+os.Args[1], nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("DATABRICKS_TOKEN"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.Proto, answer.StatusCode)
	fmt.Println(string(body))
}
