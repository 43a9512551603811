{{/* The pod, whichever kind makes it. */}}

{{- define "larder.pod" -}}
{{- include "larder.check" . -}}
metadata:
  labels:
    {{- include "larder.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Another configuration is another pod.
    checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # drain_delay and shutdown_grace, two seconds to end, and three to spare.
  terminationGracePeriodSeconds: {{ add .Values.drainDelaySeconds .Values.shutdownGraceSeconds 5 }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.serviceAccountName }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: larder
      image: {{ include "larder.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [larder, serve, --config, /etc/larder/larder.toml]
      env:
        {{- include "larder.env" . | nindent 8 }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- with .Values.service.hostPort }}
        - { name: data, containerPort: 8585, hostPort: {{ . }}, protocol: TCP }
        {{- else }}
        - { name: data, containerPort: 8585, protocol: TCP }
        {{- end }}
        - { name: admin, containerPort: 8586, protocol: TCP }
      # It listens before it has read its directory, so this is for slow nodes and volumes.
      startupProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 2
        failureThreshold: 60
      # One that hangs costs builds minutes, one that is gone costs them nothing.
      livenessProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      resources:
        {{- include "larder.resources" . | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /var/cache/larder }
        - { name: config, mountPath: /etc/larder, readOnly: true }
        {{- if include "larder.secrets" . }}
        - { name: secrets, mountPath: /run/secrets/larder, readOnly: true }
        {{- end }}
        {{- if .Values.tls.secret }}
        - { name: tls, mountPath: /run/secrets/larder-tls, readOnly: true }
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "larder.fullname" . }}
    {{- with include "larder.secrets" . }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- trim . | nindent 10 }}
    {{- end }}
    {{- with .Values.tls.secret }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- if eq .Values.kind "DaemonSet" }}
    - name: data
      {{- if .Values.storage.hostPath }}
      # Made by whoever sets up the node: what the kubelet makes belongs to root.
      hostPath:
        path: {{ .Values.storage.hostPath }}
        type: Directory
      {{- else }}
      emptyDir:
        sizeLimit: {{ .Values.storage.size }}
      {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
