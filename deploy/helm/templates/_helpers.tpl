{{/* The name of every object. */}}
{{- define "tandem.name" -}}
{{- if contains "tandem" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-tandem" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What tells this release's pods from others. */}}
{{- define "tandem.selector" -}}
app.kubernetes.io/name: tandem
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tandem.labels" -}}
{{ include "tandem.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tandem.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "tandem.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "tandem.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end }}

{{/* TANDEM_BUNDLE; empty for the bundle inside the image. */}}
{{- define "tandem.bundle" -}}
{{- with .Values.bundle }}
{{- if and .url .follow }}{{ .url }}
{{- else if .url }}/bundles/{{ regexReplaceAll "/[0-9]+$" (trimSuffix "/" .url) "" | base }}
{{- else if or .existingClaim .image }}/bundles/{{ .path | trimSuffix "/" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The secret with the storage's credentials, for what downloads: the init container, or a server that follows. */}}
{{- define "tandem.credentials" -}}
{{- with .Values.bundle.credentialsSecret }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end }}

{{/* A value as text. Numbers arrive as floats, and a large one would be written with an exponent. */}}
{{- define "tandem.plain" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Values that contradict one another. */}}
{{- define "tandem.check" -}}
{{- with .Values.bundle }}
{{- $sources := compact (list .existingClaim .image .url) }}
{{- if gt (len $sources) 1 }}{{ fail (printf "bundle: give one of existingClaim, image and url, not %s" (join " and " $sources)) }}{{ end }}
{{- if and (or .existingClaim .image) (not .path) }}{{ fail "bundle.path: name the store entry inside the volume, such as washers" }}{{ end }}
{{- if and .path (not (or .existingClaim .image)) }}{{ fail "bundle.path: goes with bundle.existingClaim or bundle.image" }}{{ end }}
{{- if and .follow (not .url) }}{{ fail "bundle.follow: goes with bundle.url" }}{{ end }}
{{- end }}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}{{ fail "autoscaling and keda: enable one of them" }}{{ end }}
{{- if le (int .Values.graceSeconds) (int .Values.drainSeconds) }}{{ fail (printf "graceSeconds %d: must be more than drainSeconds %d, which it includes" (int .Values.graceSeconds) (int .Values.drainSeconds)) }}{{ end }}
{{- end }}
