# SPDX-License-Identifier: BSD-2-Clause

package K8sSa::Kube;

# Runs a real API server for a suite, by util/kube.sh: the first call of
# kube_up() starts it, and it is stopped when the suite ends.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use Test::More;

use K8sSa;

our @EXPORT = qw(kube kube_account kube_token kube_up);

my $script = abs_path(dirname(__FILE__) . '/../../..') . '/util/kube.sh';
my $main = $$;
my $up = 0;


# Returns its settings as util/kube.sh writes them: KUBE_URL, KUBE_CA ...  If
# no API server can be installed, the suite is skipped.

sub kube_up {
    $ENV{KUBE_DIR} = dir() . '/kube';

    my $out = `$script build 2>&1`;

    plan(skip_all => "no API server can be had: $out") if $? >> 8 == 77;
    BAIL_OUT("the API server does not build: $out") if $?;

    $up = 1;
    kube('up');

    return { map { /^(\w+)=(.*)$/ } split /\n/, slurp("$ENV{KUBE_DIR}/env") };
}


# Runs kube.sh COMMAND ARGUMENT... and returns its output.  A failure ends the
# suite.

sub kube {
    my (@command) = @_;

    open my $fh, '-|', $script, @command or die "$script: $!\n";
    local $/;
    my $out = <$fh>;
    close $fh or die "kube.sh @command: $out\n";

    return $out;
}


sub kube_account { kube('account', @_) }


# kube_token(NAMESPACE, NAME, AUDIENCE...)

sub kube_token {
    my $token = kube('token', @_);
    $token =~ s/\s+\z//;
    die "no token for @_\n" if $token eq '';
    return remember($token);
}


END {
    if ($up && $$ == $main) {
        my $status = $?;
        system "$script down >/dev/null 2>&1";
        $? = $status;
    }
}


1;
