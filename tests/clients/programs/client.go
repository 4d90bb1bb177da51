// go run client.go URL FILE: one image, one of unknown length (chunked), one damaged.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	image, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	bodies := []io.Reader{bytes.NewReader(image), io.MultiReader(bytes.NewReader(image)), bytes.NewReader([]byte("no image"))}
	for _, body := range bodies {
		response, err := http.Post(os.Args[1]+"/v1/predict", "image/png", body)
		if err != nil {
			panic(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(response.StatusCode, string(text))
	}
}
