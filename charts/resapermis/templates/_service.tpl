{{- /* Whether a file of a process' Secret is needed: a mail server without an account asks for no password. A dict: root, file. */}}
{{- define "resapermis.secretNeeded" -}}
{{- if or (ne .file "smtp-password") .root.Values.outside.smtp.username }}true{{ end -}}
{{- end }}

{{- /* The settings of a process: setting → value, as YAML. Secrets are files, named here by their path. A dict: root, name, service. */}}
{{- define "resapermis.settings" -}}
{{- $root := .root -}}
RESAPERMIS_NATS_URL: {{ include "resapermis.natsUrls" $root | quote }}
RESAPERMIS_NATS_MONITOR: {{ include "resapermis.natsMonitors" $root | quote }}
RESAPERMIS_TLS_DIR: /run/tls
RESAPERMIS_TLS_DENIED_SERIALS: /run/denied/denied-serials
RESAPERMIS_METRICS_LISTEN: 0.0.0.0:{{ .service.listens.metrics }}
RESAPERMIS_LOG_LEVEL: {{ $root.Values.pods.logLevel }}
{{- if has "otlp" .service.reaches }}{{ with $root.Values.outside.otlp.url }}
RESAPERMIS_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}{{ end }}
{{- if .service.database }}
RESAPERMIS_DATABASE_URL_FILE: /run/database/url
RESAPERMIS_DATABASE_POOL: {{ .service.pool | quote }}
RESAPERMIS_GRPC_LISTEN: 0.0.0.0:{{ .service.listens.grpc }}
{{- $clients := list }}
{{- range include "resapermis.callers" . | fromJsonArray }}{{ $clients = append $clients (index $root.Values.services .).certificate }}{{ end }}
RESAPERMIS_GRPC_CLIENTS: {{ join "," $clients | quote }}
RESAPERMIS_PRINCIPAL_JWKS: /run/principal/principal.jwks.json
RESAPERMIS_DRAIN_SECONDS: {{ $root.Values.pods.drain | quote }}
{{- end }}
{{- range .service.calls }}
{{- $peer := index $root.Values.services . }}
{{- /* A headless Service's name has an address for each replica; gRPC goes round them. */}}
RESAPERMIS_PEER_{{ . | upper | replace "-" "_" }}: dns:///{{ include "resapermis.name" $root }}-{{ . }}.{{ $root.Release.Namespace }}.svc:{{ $peer.listens.grpc }}
{{- end }}
{{- range $file, $setting := .service.secrets }}
{{- if include "resapermis.secretNeeded" (dict "root" $root "file" $file) }}
{{ $setting }}: /run/secrets/{{ $file }}
{{- end }}
{{- end }}
{{- range $setting, $value := .service.settings }}
{{ $setting }}: {{ tpl $value $root | quote }}
{{- end }}
{{- end }}

{{- /* The files of a process, as a YAML list. A dict: root, name, service. */}}
{{- define "resapermis.files" -}}
{{- $root := .root -}}
- {{ include "resapermis.certificateFiles" (dict "root" $root "certificate" .service.certificate) }}
- { name: denied, path: /run/denied, configMap: {{ include "resapermis.name" $root }}-denied-serials }
{{- if .service.database }}
{{ include "resapermis.databaseFiles" (dict "root" $root "role" .service.role) }}
{{- /* Of the gateway's Secret the public keys alone: it has them in one piece with the private one. */}}
- { name: principal, path: /run/principal, secret: {{ include "resapermis.name" $root }}-auth-gateway, items: { principal.jwks.json: principal.jwks.json } }
{{- end }}
{{- $own := dict }}
{{- range $file, $setting := .service.secrets }}
{{- if include "resapermis.secretNeeded" (dict "root" $root "file" $file) }}{{ $_ := set $own $file $file }}{{ end }}
{{- end }}
{{- with $own }}
- { name: own, path: /run/secrets, secret: {{ include "resapermis.name" $root }}-{{ $.name }}, items: {{ toJson . }} }
{{- end }}
{{- end }}
