# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::MockApi;

# A mock API server on loopback that answers TokenReviews as a suite tells it
# to, and records the requests.  One server holds any number of endpoints, NAME
# at BASE/NAME/review:
#
#     $api->set(NAME, review => { ... });
#
# The settings are those of K8sSa::MockIssuer and
#
#     user => NAME, groups => [ ... ], extra => { ... }   in a good answer
#     audiences => [ ... ]      default: those that were asked for
#     refuse => REASON          not authenticated
#     times => [ { ... } ... ]  one answer after the other, then the rest
#
# It records { name, what => 'review', at, auth, head, token, asked, connection
# } for a request and { name, what => 'end', at } when it has been answered.

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


# Returns the largest number of reviews that were in progress at the same time.

sub most {
    my ($self, $name) = @_;
    my ($n, $most) = (0, 0);

    for ($self->requests($name)) {
        $n++ if $_->{what} eq 'review';
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

        die "not a TokenReview\n"
            unless $review->{apiVersion} eq 'authentication.k8s.io/v1'
                   && $review->{kind} eq 'TokenReview';

        my $set = retrieve($self->{file})->{$name}{review} || {};
        my $times = $set->{times} || [];

        $set = $times->[$self->reviews($name)] || $set if @$times;

        $self->note(name => $name, what => 'review', auth => $auth,
                    head => $head, token => $review->{spec}{token},
                    asked => $review->{spec}{audiences});

        my $goes_on = $self->answer($c, $name, 'review',
                                    $self->verdict($review, $set));

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


1;
