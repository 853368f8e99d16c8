{{- /*
The pod of everything that this chart runs: restricted Pod Security, no token, nothing to write to but /tmp. A dict:
  root, component   who it is; the pod's labels
  image             name of its image
  command, args     of its container; none: the image's own
  env               setting → value, none of them secret
  files             list of { name, path } and secret (with items: file → key), configMap or claim
  ports             purpose → port
  probes            startup, liveness, readiness → { path, port, scheme (HTTP where it is not said) }
  preStop           the container's hook before SIGTERM
  grace             seconds until SIGKILL
  resources
  restart           Always where it is not said
  replicas          more than one: spread over nodes
  token             true for the one Job that makes Secrets
  beside            further containers, as YAML; they bring a securityContext of their own
*/}}
{{- define "resapermis.workload" -}}
{{- $root := .root -}}
metadata:
  labels: {{- include "resapermis.labels" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "resapermis.name" $root }}-{{ .component }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: {{ default "Always" .restart }}
  terminationGracePeriodSeconds: {{ default 30 .grace }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $root.Values.pods.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.pods.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.pods.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ $root.Values.pods.user }}
    runAsGroup: {{ $root.Values.pods.user }}
    fsGroup: {{ $root.Values.pods.user }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- if .share }}
  shareProcessNamespace: true
  {{- end }}
  {{- if gt (int (default 1 .replicas)) 1 }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: {{ $root.Values.pods.spread }}
      labelSelector:
        matchLabels: {{- include "resapermis.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "resapermis.image" . }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- with .command }}
      command: {{ toJson . }}
      {{- end }}
      {{- with .args }}
      args: {{ toJson . }}
      {{- end }}
      {{- with .env }}
      env:
        {{- range $setting, $value := . }}
        - name: {{ $setting }}
          value: {{ $value | quote }}
        {{- end }}
      {{- end }}
      {{- with .fieldEnv }}
        {{- range $setting, $path := . }}
        - name: {{ $setting }}
          valueFrom: { fieldRef: { fieldPath: {{ $path }} } }
        {{- end }}
      {{- end }}
      {{- with .ports }}
      ports:
        {{- range $purpose, $port := . }}
        - { name: {{ $purpose }}, containerPort: {{ $port }} }
        {{- end }}
      {{- end }}
      {{- with .probes }}
      # Starting takes as long as the database does; after that, thirty seconds of silence end the process.
      startupProbe:
        httpGet: { path: {{ .startup.path | quote }}, port: {{ .startup.port }}{{ with .startup.scheme }}, scheme: {{ . }}{{ end }} }
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: {{ .liveness.path | quote }}, port: {{ .liveness.port }}{{ with .liveness.scheme }}, scheme: {{ . }}{{ end }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: {{ .readiness.path | quote }}, port: {{ .readiness.port }}{{ with .readiness.scheme }}, scheme: {{ . }}{{ end }} }
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- end }}
      {{- with .preStop }}
      lifecycle:
        preStop: {{- toYaml . | nindent 10 }}
      {{- end }}
      resources: {{- toYaml .resources | nindent 8 }}
      securityContext: {{- include "resapermis.contained" . | nindent 8 }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- range .files }}
        - { name: {{ .name }}, mountPath: {{ .path }}{{ if not .claim }}, readOnly: true{{ end }} }
        {{- end }}
        {{- if .token }}
        - { name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
        {{- end }}
    {{- with .beside }}
    {{- . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: { sizeLimit: 64Mi }
    {{- range .files }}
    {{- if .secret }}
    - name: {{ .name }}
      secret:
        secretName: {{ .secret }}
        defaultMode: 0440
        items:
          {{- range $file, $key := .items }}
          - { key: {{ $key }}, path: {{ $file }} }
          {{- end }}
    {{- else if .configMap }}
    - name: {{ .name }}
      configMap: { name: {{ .configMap }} }
    {{- else if .empty }}
    - name: {{ .name }}
      emptyDir: { sizeLimit: 1Mi }
    {{- end }}
    {{- end }}
    {{- if .token }}
    - name: token
      projected:
        defaultMode: 0440
        sources:
          - serviceAccountToken: { path: token, expirationSeconds: 600 }
          - configMap:
              name: kube-root-ca.crt
              items: [{ key: ca.crt, path: ca.crt }]
          - downwardAPI:
              items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }]
    {{- end }}
{{- end }}

{{- /* What every container may: nothing. */}}
{{- define "resapermis.contained" -}}
runAsNonRoot: true
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* A component's account, which may do nothing. A dict: root, component. */}}
{{- define "resapermis.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "resapermis.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end }}

{{- /* The files of a process' certificate, by the names that the kit reads. A dict: root, certificate. */}}
{{- define "resapermis.certificateFiles" -}}
{ name: tls, path: /run/tls, secret: {{ include "resapermis.name" .root }}-tls-{{ .certificate }}, items: { ca.pem: ca.crt, tls.pem: tls.crt, tls.key: tls.key } }
{{- end }}

{{- /* The files by which a database is reached as `role`. A dict: root, role. */}}
{{- define "resapermis.databaseFiles" -}}
- { name: database, path: /run/database, secret: {{ include "resapermis.databaseSecret" . }}, items: { url: url } }
- { name: database-authority, path: /run/database-authority, secret: {{ include "resapermis.databaseAuthority" .root }}, items: { ca.crt: ca.crt } }
{{- end }}
