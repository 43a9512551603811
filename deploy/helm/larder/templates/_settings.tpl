{{/* What of the values becomes Larder's configuration. */}}

{{/* A size of Larder's as a number of MiB. */}}
{{- define "larder.mebibytes" -}}
{{- if hasSuffix "GiB" . -}}
{{- mul (trimSuffix "GiB" . | int) 1024 -}}
{{- else -}}
{{- trimSuffix "MiB" . | int -}}
{{- end -}}
{{- end -}}

{{/* The pod's memory: what rests, what is on its way (windows of HTTP/2 may have as much again), and half a GiB for
the process and some two thousand connections at their most. */}}
{{- define "larder.memoryLimit" -}}
{{- $rests := include "larder.mebibytes" .Values.memory.capacity | int -}}
{{- $onItsWay := include "larder.mebibytes" .Values.memory.inFlight | int -}}
{{- printf "%dMi" (add $rests (mul 2 $onItsWay) 512) -}}
{{- end -}}

{{- define "larder.resources" -}}
{{- $memory := dict "memory" (include "larder.memoryLimit" .) -}}
{{- $default := dict "requests" $memory "limits" $memory -}}
{{- mergeOverwrite (deepCopy $default) .Values.resources | toYaml -}}
{{- end -}}

{{/* access.tokens in one variable. */}}
{{- define "larder.tokens" -}}
{{- $entries := list -}}
{{- range .Values.access.tokens -}}
{{- $entry := printf "name = %q, file = %q, rights = %q" .name (printf "/run/secrets/larder/tokens/%s" .name) (default "read-write" .rights) -}}
{{- if .teams -}}
{{- $entry = printf "%s, teams = %s" $entry (toJson .teams) -}}
{{- end -}}
{{- if .expires -}}
{{- $entry = printf "%s, expires = %s" $entry .expires -}}
{{- end -}}
{{- $entries = append $entries (printf "{ %s }" $entry) -}}
{{- end -}}
{{- printf "[%s]" (join ", " $entries) -}}
{{- end -}}

{{- define "larder.env" -}}
- { name: LARDER_DATA_DIR, value: /var/cache/larder }
- { name: LARDER_SERVER__LISTEN, value: "{{ .Values.bindAddress }}:8585" }
- { name: LARDER_SERVER__HOSTS, value: {{ include "larder.hosts" . | quote }} }
- { name: LARDER_SERVER__DRAIN_DELAY, value: {{ printf "%ds" (int .Values.drainDelaySeconds) }} }
- { name: LARDER_SERVER__SHUTDOWN_GRACE, value: {{ printf "%ds" (int .Values.shutdownGraceSeconds) }} }
- { name: LARDER_ADMIN__LISTEN, value: "{{ .Values.bindAddress }}:8586" }
- { name: LARDER_TIER__MEMORY__CAPACITY, value: {{ .Values.memory.capacity }} }
- { name: LARDER_TIER__IN_FLIGHT, value: {{ .Values.memory.inFlight }} }
- { name: LARDER_TIER__DISK__CAPACITY, value: {{ .Values.storage.capacity }} }
{{- with .Values.upstream.url }}
- { name: LARDER_UPSTREAM__URL, value: {{ quote . }} }
{{- end }}
{{- if .Values.upstream.tokenSecret.name }}
- { name: LARDER_UPSTREAM__TOKEN_FILE, value: /run/secrets/larder/upstream-token }
{{- end }}
{{- with .Values.access.mode }}
- { name: LARDER_ACCESS__MODE, value: {{ . }} }
{{- end }}
{{- if .Values.access.tokens }}
- { name: LARDER_ACCESS__TOKENS, value: {{ include "larder.tokens" . | quote }} }
{{- end }}
{{- if .Values.access.signatureSecret.name }}
- { name: LARDER_ACCESS__SIGNATURE_KEY_FILE, value: /run/secrets/larder/signature-key }
{{- end }}
{{- if .Values.admin.tokenSecret.name }}
- { name: LARDER_ADMIN__TOKEN_FILE, value: /run/secrets/larder/admin-token }
{{- end }}
{{- if .Values.tls.secret }}
- { name: LARDER_SERVER__TLS__CERT, value: /run/secrets/larder-tls/tls.crt }
- { name: LARDER_SERVER__TLS__KEY, value: /run/secrets/larder-tls/tls.key }
{{- if .Values.tls.clientCa }}
- { name: LARDER_SERVER__TLS__CLIENT_CA, value: /run/secrets/larder-tls/ca.crt }
{{- end }}
{{- end }}
{{- end -}}

{{/* The files of tokens and keys, as sources of one volume; nothing where there is none. */}}
{{- define "larder.secrets" -}}
{{- with .Values.upstream.tokenSecret }}
{{- if .name }}
- secret: { name: {{ .name }}, items: [{ key: {{ .key }}, path: upstream-token }] }
{{- end }}
{{- end }}
{{- with .Values.admin.tokenSecret }}
{{- if .name }}
- secret: { name: {{ .name }}, items: [{ key: {{ .key }}, path: admin-token }] }
{{- end }}
{{- end }}
{{- with .Values.access.signatureSecret }}
{{- if .name }}
- secret: { name: {{ .name }}, items: [{ key: {{ .key }}, path: signature-key }] }
{{- end }}
{{- end }}
{{- range .Values.access.tokens }}
- secret: { name: {{ .secret }}, items: [{ key: {{ default "token" .key }}, path: "tokens/{{ .name }}" }] }
{{- end }}
{{- end -}}

{{/* What no schema can say of several values together. */}}
{{- define "larder.check" -}}
{{- $noUpstream := or (not .Values.upstream.url) (eq .Values.upstream.url "none") -}}
{{- if and $noUpstream (not .Values.config) (not .Values.access.tokens) (ne .Values.access.mode "open") -}}
{{- fail "Without an upstream Larder asks for tokens. Set upstream.url, list tokens in access.tokens, or set access.mode to open for everybody who reaches it." -}}
{{- end -}}
{{- if and .Values.storage.hostPath (ne .Values.kind "DaemonSet") -}}
{{- fail "storage.hostPath is for a DaemonSet; a StatefulSet has a volume of its own." -}}
{{- end -}}
{{- if and .Values.service.hostPort (ne .Values.kind "DaemonSet") -}}
{{- fail "service.hostPort is for a DaemonSet; of several replicas on one node only one could have it." -}}
{{- end -}}
{{- if and .Values.tls.clientCa (not .Values.tls.secret) -}}
{{- fail "tls.clientCa is the ca.crt of tls.secret, which is not set." -}}
{{- end -}}
{{- $own := include "larder.env" . | fromYamlArray -}}
{{- range $extra := .Values.extraEnv -}}
{{- range $own -}}
{{- if eq .name $extra.name -}}
{{- fail (printf "%s in extraEnv is set by the chart; README.md says by which value." .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
