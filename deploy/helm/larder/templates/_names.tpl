{{/* What things are called. */}}

{{- define "larder.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "larder.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "larder.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "larder.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "larder.selectorLabels" -}}
app.kubernetes.io/name: {{ include "larder.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "larder.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "larder.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "larder.image" -}}
{{- $repository := required "image.repository: where you have pushed the image that deploy/Dockerfile makes" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What clients call it. A web page in somebody's browser could mean it by any other name, so where no
credential is asked for, and on the admin listener, only these count. */}}
{{- define "larder.hosts" -}}
{{- $names := list -}}
{{- range list (include "larder.fullname" .) (printf "%s-pods" (include "larder.fullname" .)) -}}
{{- $inNamespace := printf "%s.%s" . $.Release.Namespace -}}
{{- $names = concat $names (list . $inNamespace (printf "%s.svc" $inNamespace) (printf "%s.svc.%s" $inNamespace $.Values.clusterDomain)) -}}
{{- end -}}
{{- concat $names .Values.hosts | join "," -}}
{{- end -}}

{{/* What TURBO_API should be, within the cluster. */}}
{{- define "larder.api" -}}
{{- printf "%s://%s.%s:%v" (ternary "https" "http" (ne .Values.tls.secret "")) (include "larder.fullname" .) .Release.Namespace .Values.service.port -}}
{{- end -}}
