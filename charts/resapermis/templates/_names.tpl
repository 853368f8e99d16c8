{{- define "resapermis.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 30 | trimSuffix "-" -}}
{{- end }}

{{- /* What selects the pods of a component, for ever the same. A dict: root, component. */}}
{{- define "resapermis.selector" -}}
app.kubernetes.io/name: resapermis
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "resapermis.labels" -}}
{{ include "resapermis.selector" . }}
app.kubernetes.io/part-of: resapermis
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "resapermis.metadata" -}}
name: {{ include "resapermis.name" .root }}-{{ default .component .name }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "resapermis.labels" . | nindent 2 }}
{{- end }}

{{- /* An image by its digest. A dict: root, image, digest ("": that of image.digests). */}}
{{- define "resapermis.image" -}}
{{- $where := printf "%s/%s" .root.Values.image.registry .image | trimPrefix "/" -}}
{{- with default (get .root.Values.image.digests .image) .digest -}}
{{ $where }}@{{ . }}
{{- else -}}
{{ $where }}:{{ required (printf "image.digests.%s: say which image by its digest (image.tag is for trials)" .image) .root.Values.image.tag }}
{{- end -}}
{{- end }}

{{- /* The Secret of a role of PostgreSQL: scheduling_rules_owner is scheduling-rules-owner there. A dict: root, role. */}}
{{- define "resapermis.databaseSecret" -}}
{{ include "resapermis.name" .root }}-db-{{ .role | replace "_" "-" }}
{{- end }}

{{- /* Each role that serves → most connections that its processes have open, a JSON object. A dict: root, database ("": of all). */}}
{{- define "resapermis.servingRoles" -}}
{{- $found := dict -}}
{{- $database := .database -}}
{{- range .root.Values.services }}
{{- if and .database (or (not $database) (eq .database $database)) }}
{{- $_ := set $found .role (add (default 0 (get $found .role)) (include "resapermis.connections" (dict "service" .)) | int) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{- /* Names of all databases, a JSON list. */}}
{{- define "resapermis.databases" -}}
{{- $found := dict -}}
{{- range .Values.services }}{{ with .database }}{{ $_ := set $found . true }}{{ end }}{{ end -}}
{{ keys $found | sortAlpha | toJson }}
{{- end }}

{{- /* Who has a process among its `calls`, a JSON list. A dict: root, name. */}}
{{- define "resapermis.callers" -}}
{{- $callers := list -}}
{{- $name := .name -}}
{{- range $caller, $other := .root.Values.services }}{{ if has $name $other.calls }}{{ $callers = append $callers $caller }}{{ end }}{{ end -}}
{{ toJson $callers }}
{{- end }}

{{- define "resapermis.cluster" -}}
{{ include "resapermis.name" . }}-db
{{- end }}

{{- define "resapermis.databaseAuthority" -}}
{{- if .Values.database.cluster.enabled -}}
{{ include "resapermis.cluster" . }}-ca
{{- else -}}
{{ required "database.outside.authoritySecret: the CA of PostgreSQL's certificate" .Values.database.outside.authoritySecret }}
{{- end -}}
{{- end }}

{{- /* The pods' own names of NATS' servers, a JSON list: no address is guessed, each is in its certificate. */}}
{{- define "resapermis.natsHosts" -}}
{{- $hosts := list -}}
{{- range until (int .Values.nats.replicas) -}}
{{- $hosts = append $hosts (printf "%[1]s-nats-%[2]d.%[1]s-nats.%[3]s.svc" (include "resapermis.name" $) . $.Release.Namespace) -}}
{{- end -}}
{{ toJson $hosts }}
{{- end }}

{{- define "resapermis.natsUrls" -}}
{{- if .Values.nats.url }}{{ .Values.nats.url }}{{ else -}}
{{- $urls := list -}}
{{- range include "resapermis.natsHosts" . | fromJsonArray }}{{ $urls = append $urls (printf "tls://%s:4222" .) }}{{ end -}}
{{ join "," $urls }}
{{- end -}}
{{- end }}

{{- define "resapermis.natsMonitors" -}}
{{- if .Values.nats.url }}{{ .Values.nats.monitor }}{{ else -}}
{{- $urls := list -}}
{{- range include "resapermis.natsHosts" . | fromJsonArray }}{{ $urls = append $urls (printf "https://%s:8222" .) }}{{ end -}}
{{ join "," $urls }}
{{- end -}}
{{- end }}

{{- /* Most connections that a service has open to its database: each replica's pool, its leader's lock and its beat among
       replicas, and a replica more while it is replaced. A dict: root, service. */}}
{{- define "resapermis.connections" -}}
{{- $replicas := int .service.replicas -}}
{{- if .service.autoscaling.enabled }}{{ $replicas = int .service.autoscaling.most }}{{ end -}}
{{ mul (add $replicas 1) (add (int .service.pool) 2) }}
{{- end }}
