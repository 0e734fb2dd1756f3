# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::MockApi;

# A mock API server on loopback that answers TokenReviews and access reviews as
# a suite tells it to, and records the requests.  One server holds any number of
# endpoints, NAME at BASE/NAME/review, or any other path below BASE/NAME/:
#
#     $api->set(NAME, review => { ... }, access => { ... });
#
# The settings are those of K8sSa::MockIssuer and
#
#     user => NAME, groups => [ ... ], extra => { ... }   in a good answer
#     audiences => [ ... ]      default: those that were asked for
#     refuse => REASON          not authenticated
#     times => [ { ... } ... ]  one answer after the other, then the rest
#
# and, for access reviews (SubjectAccessReview, LocalSubjectAccessReview), in
# place of those about users
#
#     allow => 1                every question, or
#     allow => [ QUESTION ... ]             those, or
#     allow => { USER => [ QUESTION ... ] }  those of each user
#     status_of => { ... }      more members of the answer's "status"
#     starting => 1             with the headers of a starting API server
#
# A QUESTION is written as in $k8s_sa_access.
#
# It records { name, what => 'review', at, auth, head, token, asked, connection
# } for a request, or { what => 'access', at, auth, head, path, review, user,
# question, connection }, and { name, what => 'end', at } when it has been
# answered.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::SSL ();
use JSON::PP;
use Storable qw(retrieve);

use K8sSa;
use K8sSa::MockIssuer ();

our @ISA = ('K8sSa::MockIssuer');


sub reviews {
    my ($self, $name) = @_;
    return $self->requests($name, 'review');
}


# Returns the access reviews in order.

sub accesses {
    my ($self, $name) = @_;
    return $self->requests($name, 'access');
}


# Returns the questions of the access reviews in order.

sub questions {
    my ($self, $name) = @_;
    return map { $_->{question} } $self->accesses($name);
}


# Returns the largest number of reviews that were in progress at the same time.

sub most {
    my ($self, $name) = @_;
    my ($n, $most) = (0, 0);

    for ($self->requests($name)) {
        $n++ if $_->{what} =~ /^(?:review|access)$/;
        $n-- if $_->{what} eq 'end';
        $most = $n if $n > $most;
    }

    return $most;
}


sub connection {
    my ($self, $c, $context) = @_;

    $self->note(name => '', what => 'connect', peer => $c->peerport);

    if ($context) {
        IO::Socket::SSL->start_SSL($c, SSL_server => 1,
                                   SSL_reuse_ctx => $context)
            or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
        $self->note(name => '', what => 'handshake');
    }

    my $buffer = '';

    while (1) {
        while ($buffer !~ /\r\n\r\n/) {
            sysread $c, $buffer, 65536, length $buffer or return;
        }

        $buffer =~ s/^(.*?\r\n\r\n)//s;
        my $head = $1;
        my ($name) = $head =~ m{^POST /([^/]+)};
        my ($auth) = $head =~ /^Authorization: (.*?)\r$/mi;
        my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;

        while (length $buffer < $length) {
            sysread $c, $buffer, 65536, length $buffer or return;
        }

        my $review = decode_json(substr $buffer, 0, $length, '');

        my $kind = "$review->{apiVersion} $review->{kind}";
        my $what = $kind eq 'authentication.k8s.io/v1 TokenReview' ? 'review'
                 : $kind =~ m{^authorization\.k8s\.io/v1 (?:Local)?SubjectAccessReview$}
                   ? 'access' : die "not a review: $kind\n";

        my $set = retrieve($self->{file})->{$name}{$what} || {};
        my $times = $set->{times} || [];

        $set = $times->[$self->requests($name, $what)] || $set if @$times;

        my $verdict;

        if ($what eq 'review') {
            $self->note(name => $name, what => 'review', auth => $auth,
                        head => $head, token => $review->{spec}{token},
                        asked => $review->{spec}{audiences});

            $verdict = $self->verdict($review, $set);

        } else {
            my ($path) = $head =~ m{^POST (\S+)};

            $self->note(name => $name, what => 'access', auth => $auth,
                        head => $head, path => $path, review => $review,
                        user => $review->{spec}{user},
                        question => question($review));

            $verdict = $self->access_verdict($review, $set);
        }

        my $goes_on = $self->answer($c, $name, $what, $verdict);

        $self->note(name => $name, what => 'end');

        return unless $goes_on;
    }
}


sub verdict {
    my ($self, $review, $set) = @_;
    my %answer = (status => 201, %$set);

    return \%answer if defined $set->{raw} || defined $set->{body};

    my $asked = $review->{spec}{audiences};

    $review->{status} = defined $set->{refuse}
        ? { user => {}, error => $set->{refuse} }
        : { authenticated => JSON::PP::true,
            user => {
                username => $set->{user}
                            || 'system:serviceaccount:mytest:service1',
                uid => $set->{uid} || 'uid-1',
                groups => $set->{groups} || [ 'system:authenticated' ],
                $set->{extra} ? (extra => $set->{extra}) : (),
            },
            audiences => $set->{audiences} || $asked || [ 'api' ],
          };

    $answer{body} = JSON::PP->new->canonical->encode($review);

    return \%answer;
}


# Returns what is asked, as $k8s_sa_access has it.

sub question {
    my ($review) = @_;
    my $path = $review->{spec}{nonResourceAttributes};
    my $q = $review->{spec}{resourceAttributes};

    die "neither or both attributes\n" unless !$path != !$q;

    return "$path->{verb} $path->{path}" if $path;

    return "$q->{verb} $q->{resource}"
           . (defined $q->{subresource} ? "/$q->{subresource}" : '')
           . (defined $q->{group} ? ".$q->{group}" : '')
           . (defined $q->{namespace} ? " namespace=$q->{namespace}" : '')
           . (defined $q->{name} ? " name=$q->{name}" : '');
}


sub access_verdict {
    my ($self, $review, $set) = @_;
    my %answer = (status => 201, %$set);

    $answer{headers} = [ 'X-Kubernetes-Pf-Flowschema-Uid: '
                         . ($set->{starting} ? '' : 'uid-1'),
                         @{$set->{headers} || []} ];

    return \%answer if defined $set->{raw} || defined $set->{body};

    my $allow = $set->{allow};

    $allow = $allow->{$review->{spec}{user}} if ref $allow eq 'HASH';

    if (ref $allow eq 'ARRAY') {
        my $question = question($review);
        $allow = grep { $_ eq $question } @$allow;
    }

    $review->{status} = {
        allowed => $allow ? JSON::PP::true : JSON::PP::false,
        $allow ? (reason => 'RBAC: allowed by ClusterRoleBinding "b"') : (),
        %{$set->{status_of} || {}},
    };

    $answer{body} = JSON::PP->new->utf8->canonical->encode($review);

    return \%answer;
}


1;
